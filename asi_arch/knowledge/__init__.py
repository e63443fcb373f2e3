"""What the literature says: entries in our own words and a search over them."""

from asi_arch.knowledge.entries import entry, format_entry, load_entries, parse_entry
from asi_arch.knowledge.library import Library, search

__all__ = ["Library", "entry", "format_entry", "load_entries", "parse_entry", "search"]
