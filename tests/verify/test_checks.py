"""What the other checks measure and say."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from asi_arch.records import Finding
from asi_arch.train.sizes import match_width
from asi_arch.verify import VerifySettings, verify
from asi_arch.verify.compare import LARGEST, relative_change, rounded

HERE = Path(__file__).parent
SETTINGS = VerifySettings(parameters=100_000)


def finding_of(check: str, path: str, settings: VerifySettings = SETTINGS) -> Finding:
    (finding,) = verify((HERE / path).read_text(), replace(settings, only=(check,)))
    return finding


def test_training_names_dead_parameters() -> None:
    finding = finding_of("training", "faults/dead_parameter.py")
    assert finding.measured["dead_parameters"] == 1
    assert "gate.weight" in finding.evidence
    assert "gate.weight" in finding.hint


def test_training_counts_what_comes_alive_after_the_first_step() -> None:
    finding = finding_of("training", "honest/zero_initialised_output.py")
    assert finding.measured["dead_parameters"] == 0


def test_training_names_parameters_with_bad_gradients() -> None:
    finding = finding_of("training", "faults/nan_gradient.py")
    assert "not finite at length 1: value.weight" in finding.evidence


def test_training_reports_the_losses() -> None:
    finding = finding_of("training", "faults/wrong_sign.py")
    assert float(finding.measured["last_loss"]) > float(finding.measured["first_loss"])


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("length_statistic", "depends on the total length"),
        ("length_switch", "depends on the total length"),
        ("sequence_mean", "reads the future"),
        ("roll", "reads the future"),
    ],
)
def test_prefix_tells_the_future_from_the_length(name: str, cause: str) -> None:
    finding = finding_of("prefix", f"faults/{name}.py")
    assert finding.measured["cause"] == cause
    assert ("causality finding" in finding.hint) == (cause == "reads the future")


def test_prefix_names_the_lengths_of_a_switch() -> None:
    assert "(1, 7, 63, 64 against 257)" in finding_of("prefix", "faults/length_switch.py").hint


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("batch_mixing", "the others replaced"),
        ("batch_order", "the order changed"),
        ("batch_size", "the number changed"),
    ],
)
def test_batch_says_what_moved_the_sample(name: str, what: str) -> None:
    assert finding_of("batch", f"faults/{name}.py").evidence.startswith(what)


def test_parameters_are_counted_at_the_stage_size() -> None:
    settings = VerifySettings(stage_hidden_size=128, stage_num_heads=4, num_layers=3)
    finding = finding_of("parameters", "honest/token_shift.py", settings)
    assert finding.measured == {"mixer": 2 * 128 * 128}


def test_parameters_match_the_target() -> None:
    measured = finding_of("parameters", "honest/token_shift.py").measured
    assert float(measured["total"]) == pytest.approx(100_000, rel=0.01)
    assert measured["non_embedding"] == int(measured["total"]) - 256 * 64


def test_the_hint_names_the_largest_mixer_that_fits() -> None:
    hint = finding_of("parameters", "faults/too_many_parameters.py").hint
    assert "at most 41,456 parameters" in hint
    size = match_width(41_456, hidden_size=64, num_layers=2, vocab_size=256, target=100_000)
    assert size is not None
    assert (size.width, size.total) == (1, 100_000)


def test_change_is_relative_to_the_scale() -> None:
    before = torch.full((4, 2), 10.0)
    assert relative_change(before, before + 1e-2) == pytest.approx(1e-3, rel=1e-3)


def test_change_of_a_part_that_is_zero_is_relative_to_the_whole() -> None:
    whole = torch.tensor([0.0, 10.0, 10.0])
    change = relative_change(whole[:1], torch.tensor([1e-6]), whole)
    assert change == pytest.approx(1e-5, rel=0.3)


def test_what_stays_infinite_has_not_changed_and_what_becomes_so_has() -> None:
    before = torch.tensor([1.0, float("inf"), float("nan")])
    assert relative_change(before, before.clone()) == 0
    assert relative_change(before, torch.full((3,), float("nan"))) > 1e30


def test_rounded_numbers_fit_into_json() -> None:
    assert rounded(1.2345e-7) == 1.2e-7
    assert rounded(float("inf")) == rounded(float("nan")) == LARGEST
