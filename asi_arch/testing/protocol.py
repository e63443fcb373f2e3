"""What the local server answers: bodies of the chat, responses and embeddings formats."""

import hashlib
import json
import math
import re
import time
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Format: TypeAlias = Literal["json_schema", "tool", "json_object", "text"]

SIZE = 64
"""How many numbers the vector of a text has."""


@dataclass(frozen=True)
class Question:
    """What was asked, whichever format it came in."""

    messages: list[dict[str, str]]
    format: Format
    tool: str = ""
    temperature: bool = False
    effort: bool = False

    @property
    def prompt_tokens(self) -> int:
        """Four characters count as one token."""
        return sum(len(message["content"]) for message in self.messages) // 4


def chat_question(body: Json) -> Question:
    """Read the body of a chat completion."""
    return Question(
        body["messages"],
        "tool" if "tools" in body else body.get("response_format", {}).get("type", "text"),
        body["tools"][0]["function"]["name"] if "tools" in body else "",
        "temperature" in body,
        "reasoning_effort" in body,
    )


def responses_question(body: Json) -> Question:
    """Read the body of a request to the Responses API."""
    format = body.get("text", {}).get("format", {}).get("type", "text")
    tools = body.get("tools")
    return Question(
        body["input"],
        "tool" if tools else format,
        tools[0]["name"] if tools else "",
        "temperature" in body,
        "reasoning" in body,
    )


def chat_answer(body: Json, question: Question, text: str, cached: int) -> Json:
    """Return a chat completion; an answer by tool holds the text as arguments."""
    message: Json = {"role": "assistant", "content": text}
    if question.tool:
        function = {"name": question.tool, "arguments": text}
        call = {"id": "call-1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    end = "tool_calls" if question.tool else "stop"
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": end}],
        "usage": {
            "prompt_tokens": question.prompt_tokens,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens": len(text) // 4,
            "total_tokens": question.prompt_tokens + len(text) // 4,
        },
    }


def responses_answer(body: Json, question: Question, text: str, cached: int) -> Json:
    """Return an answer of the Responses API."""
    part = {"type": "output_text", "text": text, "annotations": []}
    item: Json = {"type": "message", "id": "msg-1", "role": "assistant", "content": [part]}
    if question.tool:
        item = {"type": "function_call", "id": "fc-1", "call_id": "call-1", "arguments": text}
        item["name"] = question.tool
    return {
        "id": "resp-scripted",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": body["model"],
        "output": [item],
        "usage": {
            "input_tokens": question.prompt_tokens,
            "input_tokens_details": {"cached_tokens": cached},
            "output_tokens": len(text) // 4,
            "total_tokens": question.prompt_tokens + len(text) // 4,
        },
    }


def embeddings_answer(body: Json) -> Json:
    """Return a vector for each text of a request."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vectors = [
        {"object": "embedding", "index": index, "embedding": embedding(text)}
        for index, text in enumerate(texts)
    ]
    tokens = sum(len(text) for text in texts) // 4
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": body["model"], "data": vectors, "usage": usage}


def embedding(text: str) -> list[float]:
    """Return the words of a text, hashed into a vector of length one: the same text, the same."""
    counts = [0.0] * SIZE
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        counts[digest[0] % SIZE] += 1.0 if digest[1] % 2 else -1.0
    length = math.hypot(*counts)
    if not length:  # opposite words have met in one place
        return [1.0, *counts[1:]]
    return [count / length for count in counts]


def error_body(message: str, code: str | None = None) -> Json:
    """Return an error as the service words it."""
    return {"error": {"message": message, "type": code or "server_error", "code": code}}


def encoded(value: Json) -> bytes:
    """Return the bytes of a JSON document."""
    return json.dumps(value).encode()
