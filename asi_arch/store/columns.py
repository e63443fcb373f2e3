"""The column types, and the one place that says what odd values look like in the database.

- Numbers: nan and the infinities are NULL in a column; a run whose loss is not finite has status
  `failed` and a reason that names the value. In JSON they are the strings "nan", "inf", "-inf".
- Text: PostgreSQL takes no NUL character and SQLite no lone surrogate, and language models may
  write both; they are stored as the backslash escapes a Python literal would show.
- Times are in UTC.
"""

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Double, Text
from sqlalchemy.types import TypeDecorator

_NOT_FINITE = ("nan", "inf", "-inf")


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def encode_json(value: Any) -> Any:
    """Return `value` with text cleaned and numbers that are not finite written as strings."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {clean_text(str(key)): encode_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode_json(item) for item in value]
    return value


def decode_number(value: Any) -> Any:
    """Turn "nan", "inf" and "-inf" back into numbers; every other value is returned as it is."""
    return float(value) if value in _NOT_FINITE else value


def clean_text(value: str) -> str:
    """Return `value` with NUL characters and lone surrogates escaped."""
    return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


class CleanText(TypeDecorator[str]):
    """Text that every database can hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what a database cannot hold."""
        return None if value is None else clean_text(value)


class Number(TypeDecorator[float]):
    """A double; nan and the infinities become NULL."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Replace numbers that are not finite."""
        return value if value is not None and math.isfinite(value) else None


class Json(TypeDecorator[Any]):
    """JSON that strict readers accept; None becomes NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encode text and numbers as this module says."""
        return encode_json(value)


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC, whatever the database makes of time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Mark what SQLite returns without a zone; convert what PostgreSQL returns with one."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
