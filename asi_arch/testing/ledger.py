"""A ledger that forgets everything when the process ends."""

from asi_arch.records import Reply, Request


class MemoryLedger:
    """Keeps replies in a dictionary; `requests` holds the answered questions in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._replies: dict[str, Reply] = {}

    def find_reply(self, request: Request) -> Reply | None:
        """The stored reply to the same question, if there is one."""
        return self._replies.get(request.key)

    def save_reply(self, request: Request, reply: Reply) -> None:
        """Store a reply."""
        self.requests.append(request)
        self._replies[request.key] = reply
