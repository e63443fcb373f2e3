"""Text as tokens: where it comes from, how it is split and stored, how training reads it."""
