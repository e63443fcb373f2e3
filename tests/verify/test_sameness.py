"""Which programs are taken for the same."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from asi_arch.records import Finding
from asi_arch.signature import agree
from asi_arch.team.rules.render import render
from asi_arch.team.rules.space import draw
from asi_arch.train.kernels import install
from asi_arch.verify import VerifySettings, verify

HERE = Path(__file__).parent
SETTINGS = VerifySettings(lengths=(7,), more_lengths=(), only=("sameness",))
SOURCE = (HERE / "honest" / "token_shift.py").read_text()


def sameness_of(source: str, *known: tuple[str, str, str]) -> Finding:
    install()
    (finding,) = verify(source, replace(SETTINGS, known=known))
    assert finding.check == "sameness"
    return finding


def as_known(name: str, source: str) -> tuple[str, str, str]:
    measured = sameness_of(source).measured
    return name, str(measured["fingerprint"]), str(measured["signature"])


def test_without_known_programs_it_only_reports() -> None:
    finding = sameness_of(SOURCE)
    assert finding.passed
    assert finding.measured["compared"] == 0
    assert len(str(finding.measured["fingerprint"])) == 16
    assert len(str(finding.measured["signature"]).split()) == 8
    assert sameness_of(SOURCE) == finding


def test_other_names_and_comments_are_the_same_program() -> None:
    known = as_known("experiment 7", SOURCE.replace("self.value", "self.content"))
    finding = sameness_of(SOURCE, ("experiment 6", "0" * 16, ""), known)
    assert not finding.passed
    assert finding.measured["twin"] == "experiment 7"
    assert finding.evidence == "up to names and comments the same program as experiment 7"
    assert "experiment 7" in finding.hint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("super().__init__()", "super().__init__()\n        torch.rand(3)"),
        ("return self.out(", "nothing = 0\n        return nothing + self.out("),
        (
            "bias=False)\n\n",
            "bias=False)\n        nn.init.normal_(self.out.weight, std=0.5)\n\n",
        ),
    ],
    ids=["other random draws", "other text", "other initialisation"],
)
def test_the_same_function_written_otherwise_is_the_same(old: str, new: str) -> None:
    assert old in SOURCE
    finding = sameness_of(SOURCE.replace(old, new), as_known("experiment 7", SOURCE))
    assert not finding.passed
    assert finding.evidence == "with equal parameters the same output as experiment 7"


def test_another_function_is_not_the_same() -> None:
    other = SOURCE.replace("return self.out(", "return 1.001 * self.out(")
    assert sameness_of(other, as_known("experiment 7", SOURCE)).passed


def test_designs_of_the_rule_based_team_differ() -> None:
    rng = np.random.default_rng(0)
    programs = [render(draw(rng), "Drawn").source for _ in range(8)]
    signatures = [signature for _, _, signature in (as_known("", p) for p in programs)]
    assert all(signatures)
    assert not any(agree(*pair) for pair in combinations(signatures, 2))


def test_a_function_that_is_not_finite_has_no_signature() -> None:
    infinite = SOURCE.replace(
        "return self.out(", "return self.value.weight[3, 5].log() * self.out("
    )
    install()
    (finding,) = verify(infinite, SETTINGS)
    assert finding.check == "contract" or finding.measured["signature"] == ""
    assert not agree("", "")


def test_signatures_agree_up_to_rounding() -> None:
    assert agree("1 2 3", "1.0001 2 3")
    assert not agree("1 2 3", "1.001 2 3")
    assert not agree("1 2 3", "1 2")


@pytest.mark.parametrize("forged", ["", "nan 2 3", "inf 2 3", "1e999 2 3", "one 2 3"])
def test_a_forged_signature_agrees_with_nothing(forged: str) -> None:
    assert not agree(forged, "1 2 3")
    assert not agree("1 2 3", forged)
    assert not agree(forged, forged)
