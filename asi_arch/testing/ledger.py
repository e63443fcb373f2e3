"""A ledger that forgets everything when the process ends."""

from collections.abc import Sequence

from asi_arch.records import Reply, Request


class MemoryLedger:
    """Keeps replies in a dictionary.

    `requests` holds the answered questions in order, `failures` the errors of the others.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.failures: list[str] = []
        self._replies: dict[str, Reply] = {}

    def find_reply(self, request: Request) -> Reply | None:
        """Return the stored reply to the same question, if there is one."""
        return self._replies.get(request.key)

    def open_call(self, request: Request) -> None:
        """Allow every question."""

    def save_reply(self, request: Request, reply: Reply) -> None:
        """Store a reply."""
        self.requests.append(request)
        self._replies[request.key] = reply

    def save_failure(self, request: Request, error: str, faults: Sequence[str]) -> None:
        """Store an error."""
        self.failures.append(error)
