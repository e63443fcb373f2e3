"""The command line."""

from asi_arch.cli.app import app, main

__all__ = ["app", "main"]
