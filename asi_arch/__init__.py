"""Architecture research that runs by itself and whose results can be believed."""

__version__ = "0.1.0"
