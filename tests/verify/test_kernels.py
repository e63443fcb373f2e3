"""Programs with Triton kernels of their own: the one of the docs, and what may be wrong in it."""

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from asi_arch.jobs import LocalRunner
from asi_arch.jobs.findings import findings_of
from asi_arch.records import Finding, Job
from asi_arch.train.layer import ContractError, load_layer
from asi_arch.verify import VerifySettings, verify

PAGE = Path(__file__).parents[2] / "docs" / "triton.md"
LAYER: str = next(iter(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)))
SMALL = {"only": ["kernels"], "hidden_size": 24, "lengths": [1, 7], "other_sizes": []}
Check = Callable[[str], list[Finding]]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Check]:
    """Verify a program in a job, as `asi-arch verify` does: inside the sandbox."""
    runner = LocalRunner(tmp_path_factory.mktemp("jobs"))
    names = (f"verify-{number}" for number in itertools.count())
    with asyncio.Runner() as loop:

        def check(program: str, spec: Mapping[str, Any] = SMALL) -> list[Finding]:
            job = Job(name=next(names), kind="verify", program=program, spec=dict(spec))
            return findings_of(loop.run(runner.run(job)), job.limits)

        yield check
        loop.run(runner.close())


def broken(*changes: tuple[str, str]) -> str:
    source = LAYER
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return source


BROKEN = {
    "reads the future": broken(
        ("tl.load(x + place, mask=inside", "tl.load(x + place + D, mask=inside & (t + 1 < T)")
    ),
    "right in float32 only": broken(
        ("        return y\n", "        return y * 1.1 if y.dtype == torch.float16 else y\n")
    ),
    "wrong gradient of a parameter": broken(("total += state * before", "total += before")),
    "wrong gradient of the input": broken(
        ("tl.store(dx + place, state,", "tl.store(dx + place, keep,")
    ),
    "wrong at ragged lengths": broken(
        ("for t in range(T):", "for t in range(T - T % 16):"),
        (
            "x, y = x.contiguous(), torch.empty_like(x)",
            "x, y = x.contiguous(), torch.zeros_like(x)",
        ),
    ),
    "reads beyond the end": broken(
        ("BLOCK = 16", "BLOCK = 32"), ("inside = columns < D", "inside = columns < D + 8")
    ),
    "wrong away from the start": broken(
        (
            "Decay.apply(self.value(hidden_states), self.share",
            "Decay.apply(self.value(hidden_states), self.share.clamp(0.0, 4.0)",
        )
    ),
}


def test_the_layer_of_the_docs_is_honest(check: Callable[..., list[Finding]]) -> None:
    findings = check(LAYER, {})
    assert [finding for finding in findings if not finding.passed] == []
    measured = next(finding.measured for finding in findings if finding.check == "kernels")
    assert 0 < float(measured["float32"]) < 1e-4 and float(measured["float16"]) < 0.02


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_is_rejected(check: Check, name: str) -> None:
    (found,) = check(BROKEN[name])
    assert not found.passed
    if name == "reads beyond the end" and found.check == "job":
        return  # what lies there may not be readable at all
    assert "differ by" in found.evidence and "length" in found.evidence and found.hint


def test_bfloat16_is_refused_where_it_would_be_wrong(check: Check) -> None:
    (found,) = check(broken((".to(tl.float32)", ".to(tl.bfloat16).to(tl.float32)")))
    assert not found.passed and "names bfloat16" in found.evidence
    assert "silently wrong" in found.hint


def test_a_layer_without_reference_is_told_what_to_add() -> None:
    source = broken(("def reference(", "def plain("))
    (found,) = verify(source, VerifySettings())
    assert (found.check, found.passed) == ("contract", False)
    assert "has no reference" in found.evidence and "def reference(self" in found.hint
    with pytest.raises(ContractError, match="no reference"):
        load_layer(source, "without")


def test_a_cpu_computes_the_reference() -> None:
    module = load_layer(broken(("Decay.apply(", "_no_kernel(")), "cpu")(24, 2)
    assert module(torch.randn(1, 5, 24))[0].shape == (1, 5, 24)


def test_other_programs_have_no_such_finding(check: Check) -> None:
    plain = (Path(__file__).parent / "honest" / "dropout.py").read_text()
    assert {finding.check for finding in check(plain)} <= {"job"}


def test_without_the_interpreter_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    (found,) = verify(LAYER, VerifySettings(only=("kernels",)))
    assert not found.passed and "needs TRITON_INTERPRET=1" in found.evidence
