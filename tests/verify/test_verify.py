"""The corpus: every planted fault is caught by the check its first line names, nothing else is."""

import asyncio
import gc
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asi_arch.baselines import baseline_names, baseline_program
from asi_arch.errors import UserError
from asi_arch.jobs import LocalRunner
from asi_arch.jobs.findings import findings_of
from asi_arch.records import Finding, Job
from asi_arch.team.rules.render import render
from asi_arch.team.rules.space import draw
from asi_arch.train.kernels import install
from asi_arch.verify import CHECKS, VerifySettings, verify

HERE = Path(__file__).parent
FAULTS = sorted((HERE / "faults").glob("*.py"))
INTERFERING = sorted((HERE / "interfering").glob("*.py"))
"""They change the process that they run in, so they are verified in jobs."""

HONEST = sorted((HERE / "honest").glob("*.py"))
USUAL = [name for name in CHECKS if name != "kernels"]
"""`kernels` is for programs that bring some, in test_kernels.py."""

SETTINGS = VerifySettings(parameters=100_000)
SMALL = replace(SETTINGS, parameters=40_000, hidden_size=32, lengths=(1, 7, 100, 257))
"""The corpus of faults at half the width, to save time."""


def expected_check(path: Path) -> str:
    return path.read_text().splitlines()[0].strip('"').split(":")[0]


def says(path: Path) -> str:
    """What evidence or hint of a leak must contain: the mechanism or a piece of its line."""
    return path.read_text().splitlines()[2].removeprefix("Says: ")


def failures(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings if not finding.passed}


def fault(name: str) -> str:
    return (HERE / "faults" / f"{name}.py").read_text()


def honest(name: str) -> str:
    return (HERE / "honest" / f"{name}.py").read_text()


def only(source: str, check: str) -> Finding:
    (finding,) = verify(source, replace(SETTINGS, only=(check,)))
    return finding


@pytest.mark.parametrize("path", FAULTS, ids=lambda path: path.stem)
def test_a_planted_fault_is_caught_with_numbers_and_a_hint(path: Path) -> None:
    settings = replace(SMALL, only=(expected_check(path),))
    (finding,) = verify(path.read_text(), settings)
    assert finding.check == expected_check(path)
    assert not finding.passed
    assert finding.evidence
    assert finding.hint
    if finding.check == "causality":
        assert says(path) in finding.evidence + finding.hint


def test_the_corpus_is_large_enough() -> None:
    checks = [expected_check(path) for path in FAULTS]
    assert len(FAULTS) >= 48
    assert checks.count("causality") >= 26
    assert len(HONEST) + len(baseline_names()) >= 30


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.stem)
def test_an_honest_program_raises_no_alarm(path: Path) -> None:
    install()
    settings = replace(SETTINGS, max_exponent=3.0) if path.stem in QUADRATIC else SETTINGS
    findings = verify(path.read_text(), settings)
    assert [finding.check for finding in findings] == USUAL, findings[0]
    assert failures(findings) == {}


@pytest.mark.parametrize("name", baseline_names())
def test_a_baseline_raises_no_alarm(name: str) -> None:
    install()
    quadratic = replace(SETTINGS, max_exponent=3.0)
    assert failures(verify(baseline_program(name).source, quadratic)) == {}


@pytest.mark.parametrize("seed", range(3))
def test_a_rule_based_design_raises_no_alarm(seed: int) -> None:
    install()
    program = render(draw(np.random.default_rng(seed)), "Drawn")
    assert failures(verify(program.source)) == {}


@pytest.fixture(scope="module")
def in_a_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[Finding]]]:
    runner = LocalRunner(tmp_path_factory.mktemp("jobs"))
    with asyncio.Runner() as loop:

        def verified(program: str) -> list[Finding]:
            name = f"job-{abs(hash(program))}"
            job = Job(name=name, kind="verify", program=program)
            return findings_of(loop.run(runner.run(job)), job.limits)

        yield verified
        loop.run(runner.close())


NAMED = {
    "added_module": r"adds the module torch\.fast_scan",
    "allows_tf32": r"the flags of torch\.backends",
    "asks_for_randomness": r"draws random numbers that no seed repeats at line \d+",
    "system_random": r"draws random numbers that no seed repeats at line \d+",
    "asks_the_clock": r"the clock \(time\) at line \d+, in Clock\.forward",
    "basic_logging": "the logging of everybody",
    "changed_tolerance": r"replaces what is in asi_arch\.verify\.settings\.DEFAULTS",
    "changes_environment": "changes the environment",
    "default_dtype": r"a setting of torch \(set_default_dtype\) at line 18",
    "disguised_code": "disguises code as that of a library at line 6",
    "emptied_check": r"replaces what is in asi_arch\.verify\.CHECKS",
    "finds_modules": "the way modules are found",
    "flushed_numbers": "set_flush_denormal.*the smallest numbers",
    "frames_of_an_error": r"the frames of its callers at line 21, in FramesOfAnError\.forward",
    "hooks_all_modules": "the hooks of all modules",
    "looks_at_callers": r"the frames of its callers at line 20, in LooksAtCallers\.forward",
    "looks_at_objects": "looks at all objects at line 20",
    "opens_a_socket": r"socket\.__new__.* at line 5",
    "other_kind_of_module": r"replaces __class__ of the module torch\.nn\.functional",
    "patched_code": r"replaces __code__ of torch\.nn\.functional\.dropout at line 11",
    "patched_defaults": r"replaces __defaults__ of torch\.nn\.functional\.cross_entropy at line \d+",
    "patched_gradient": r"adds torch\.autograd\.function\.Function\.vjp",
    "patched_keywords": r"replaces what is in torch\.optim\.sgd\.SGD\.__init__",
    "patched_loss": r"replaces torch\.nn\.functional\.cross_entropy",
    "patched_norm": r"replaces torch\.nn\.modules\.normalization\.LayerNorm\.forward",
    "patched_operator": r"replaces torch\._C\._nn\.gelu",
    "patched_optimiser": r"replaces torch\.optim\.adamw\.AdamW\.step",
    "patched_until_the_next_call": r"replaces torch\.optim\.sgd\.SGD\.step",
    "patched_verifier": r"replaces asi_arch\.verify\.batch\.relative_change",
    "patched_when_long": r"replaces torch\.nn\.functional\.dropout",
    "pickled_otherwise": "the way objects are pickled",
    "quiet_warnings": "the filters of warnings at line 8",
    "reads_a_file": r"open\('/etc/passwd'.* at line \d+, in ReadsFile\.forward",
    "reads_environment": r"reads the environment at line 20, in ReadsEnvironment\.forward",
    "replaced_builtin": r"replaces builtins\.sum",
    "replaced_kernel": "the kernels of torch",
    "seeds_everybody": r"\(manual_seed\) at line \d+, in Seeds\.forward",
    "shadowed_module": r"replaces the module asi_arch\.evaluate\.score",
    "starts_a_thread": "starts a thread at line 6.*changes the threads of the process",
    "tensor_method": r"adds torch\.Tensor\.gated",
    "thread_that_ends": "starts a thread at line 9",
    "traces_python": r"traces Python at line 20, in Traces\.forward",
    "waits_for_the_end": r"asks the system for atexit\.register at line 8",
}


@pytest.mark.parametrize("path", INTERFERING, ids=lambda path: path.stem)
def test_interference_is_named_and_the_only_finding(
    path: Path, in_a_job: Callable[[str], list[Finding]]
) -> None:
    (finding,) = in_a_job(path.read_text())
    assert (finding.check, finding.passed) == ("interference", False)
    assert re.search(NAMED[path.stem], finding.evidence), finding.evidence
    assert finding.hint


def test_a_program_may_ask_to_be_compiled(in_a_job: Callable[[str], list[Finding]]) -> None:
    compiled = honest("token_shift").replace(
        "    def forward", "    @torch.compile\n    def forward"
    )
    assert failures(in_a_job(compiled)) == {}


QUADRATIC = {
    "cached_masks",
    "grown_rotary_table",
    "past_summaries",
    "random_features",
    "top_k_of_the_past",
}
"""Honest, and too dear for long sequences."""


@pytest.mark.parametrize("name", sorted(QUADRATIC))
def test_what_is_honest_may_still_cost_too_much(name: str) -> None:
    (finding,) = verify(honest(name), replace(SETTINGS, only=("cost",)))
    assert not finding.passed and "length" in finding.evidence


ALONE = {
    "interference": "../interfering/asks_the_clock",
    "contract": "even_heads",
    "training": "dead_parameter",
    "causality": "odd_layers",
    "prefix": "length_switch",
    "batch": "batch_order",
    "state": "kept_output",
    "cost": "quadratic_decay",
    "numbers": "cancelling_sums",
    "parameters": "too_many_parameters",
}
"""For each check a fault that all the others let through."""


def test_every_check_is_needed_for_a_fault() -> None:
    assert [*ALONE, "deployability", "sameness"] == USUAL


@pytest.mark.parametrize(("check", "name"), ALONE.items())
def test_without_its_check_a_fault_gets_through(
    check: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = Finding(check=check, passed=True)
    monkeypatch.setattr("asi_arch.verify.CHECKS", {**CHECKS, check: lambda _: passing})
    assert failures(verify(fault(name), SETTINGS)) == {}


def test_only_deployability_sees_what_cannot_be_served() -> None:
    strict = replace(SETTINGS, require_deployable=True)
    assert set(failures(verify(honest("token_shift"), strict))) == {"deployability"}


def test_only_sameness_sees_a_twin() -> None:
    source = honest("token_shift")
    (own,) = verify(source, replace(SETTINGS, only=("sameness",)))
    known = ("the twin", str(own.measured["fingerprint"]), str(own.measured["signature"]))
    failed = failures(verify(source, replace(SETTINGS, known=(known,))))
    assert set(failed) == {"sameness"}
    assert "the twin" in failed["sameness"].evidence


def test_a_broken_contract_is_the_only_finding() -> None:
    (finding,) = verify(fault("wrong_shape"), SETTINGS)
    assert finding.check == "contract"
    assert "[1, 1, 128]" in finding.evidence


def test_a_broken_contract_is_reported_when_another_check_is_asked_for() -> None:
    assert only(fault("wrong_shape"), "causality").check == "contract"


def test_a_program_that_does_not_load_is_a_contract_finding() -> None:
    (finding,) = verify("def broken(:\n")
    assert finding.check == "contract"
    assert "line 1" in finding.evidence


def test_an_unknown_check_is_a_user_error() -> None:
    with pytest.raises(UserError, match="'causalty'; choose from: interference, contract, kernels"):
        verify("", VerifySettings(only=("causalty",)))


@pytest.mark.parametrize(
    "path",
    ["faults/noise_in_eval.py", "honest/dropout.py"],
)
@pytest.mark.parametrize("times", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_findings_repeat(path: str, times: int) -> None:
    source = (HERE / path).read_text()
    settings = replace(SETTINGS, hidden_size=32, lengths=(1, 7), more_lengths=())
    first, *others = (untimed(verify(source, settings)) for _ in range(times))
    assert all(other == first for other in others)


def untimed(findings: list[Finding]) -> list[Finding]:
    return [finding.model_copy(update={"timings": {}}) for finding in findings]


@pytest.mark.parametrize("path", FAULTS[::4], ids=lambda path: path.stem)
def test_findings_survive_json(path: Path) -> None:
    for finding in verify(path.read_text(), replace(SETTINGS, only=("prefix",))):
        assert Finding.model_validate_json(finding.model_dump_json()) == finding


def test_an_error_inside_a_check_is_its_finding() -> None:
    source = honest("cumulative_mean").replace(
        "seen = ", "assert not value.requires_grad, 'no gradients'\n        seen = "
    )
    failed = failures(verify(source, SETTINGS))
    assert set(failed) == {"training", "causality", "state", "cost", "numbers"}
    assert "no gradients" in failed["training"].evidence
    assert "in CumulativeMean.forward: assert not value" in failed["causality"].evidence


def test_who_is_told_of_collections_is_not_the_program() -> None:
    def timed(phase: str, info: dict[str, int]) -> None:
        time.perf_counter()

    install()
    source = (HONEST[0].parent / "per_channel_decay.py").read_text()
    before = gc.get_threshold()
    gc.callbacks.append(timed)
    gc.set_threshold(5)
    try:
        (finding,) = verify(source, replace(SETTINGS, only=("interference",)))
        assert gc.callbacks[-1] is timed
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(timed)
    assert finding.passed, finding.evidence
