"""The database: SQLite by default, PostgreSQL by one setting."""

from asi_arch.store.store import Store

__all__ = ["Store"]
