"""For tests of this package and of plug-ins: a local LLM server, a ledger, conformance checks."""

from asi_arch.testing.conformance import check_backend
from asi_arch.testing.faults import Fault
from asi_arch.testing.ledger import MemoryLedger
from asi_arch.testing.server import LLMServer, llm_server

__all__ = ["Fault", "LLMServer", "MemoryLedger", "check_backend", "llm_server"]
