"""The JSON schema of an answer as servers want it."""

import json
import re
from typing import Any

from pydantic import BaseModel


def name_of(answer_type: type[BaseModel]) -> str:
    """Return a name that servers take: letters, digits, `_` and `-`, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", answer_type.__name__)[:64]


def closed_schema(answer_type: type[BaseModel]) -> tuple[dict[str, Any], bool]:
    """Return the schema and whether it is strict: every object closed, every property required.

    A mapping with free keys cannot be closed; such a schema is returned as it is.
    """
    schema = answer_type.model_json_schema()
    return (_close(schema), True) if _can_close(schema) else (schema, False)


def in_words(answer_type: type[BaseModel], fenced: bool) -> str:
    """Return the paragraph that asks for the answer where the protocol cannot."""
    where = " in a ```json code block" if fenced else ""
    schema = json.dumps(answer_type.model_json_schema())
    return f"\n\nAnswer with one JSON object{where} that fits this JSON schema:\n{schema}"


def _can_close(node: Any) -> bool:
    if isinstance(node, list):
        return all(map(_can_close, node))
    if not isinstance(node, dict):
        return True
    is_open = node.get("type") == "object" and not node.get("properties")
    return not is_open and all(map(_can_close, node.values()))


def _close(node: Any) -> Any:
    if isinstance(node, list):
        return [_close(item) for item in node]
    if not isinstance(node, dict):
        return node
    dropped = "default" if isinstance(node.get("title"), str) else None
    closed = {key: _close(value) for key, value in node.items() if key != dropped}
    if node.get("type") == "object" and "properties" in node:
        closed |= {"additionalProperties": False, "required": list(node["properties"])}
    return closed
