"""Evaluation: synthetic recall and the marks of trivial models."""
