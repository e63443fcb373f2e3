"""What the deployability finding answers, and when it rejects."""

from dataclasses import replace
from pathlib import Path

import pytest

from asi_arch.baselines import baseline_names, baseline_program
from asi_arch.records import Finding
from asi_arch.team.rules.render import render
from asi_arch.team.rules.space import Design
from asi_arch.train.kernels import install
from asi_arch.verify import VerifySettings, verify
from tests.programs import PLAIN

HERE = Path(__file__).parent
SETTINGS = VerifySettings(hidden_size=32, lengths=(7,), more_lengths=(), only=("deployability",))

SERVED = '''
import torch
from torch import nn


class Served(nn.Module):
    """A decayed sum with everything a server asks for."""

    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.register_buffer("features", torch.randn(hidden_size))

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, use_cache=False,
                cu_seqlens=None, **kwargs):
        value = self.value(hidden_states) * self.features
        if attention_mask is not None:
            value = value * attention_mask.unsqueeze(-1).to(value)
        total = value.cumsum(1)
        if cu_seqlens is not None:
            for start in cu_seqlens[1:-1].tolist():
                total[:, start:] = value[:, start:].cumsum(1)
        if past_key_values is not None and use_cache:
            if len(past_key_values):
                total = total + past_key_values[0]["recurrent_state"]
            past_key_values.update(total[:, -1:], layer_idx=0, offset=value.shape[1])
        return total, None, past_key_values
'''

OWN_CACHE = SERVED.replace(
    """        if past_key_values is not None and use_cache:
            if len(past_key_values):
                total = total + past_key_values[0]["recurrent_state"]
            past_key_values.update(total[:, -1:], layer_idx=0, offset=value.shape[1])
""",
    """        if past_key_values is not None:
            (state,) = past_key_values
            total = total + state
        past_key_values = (total[:, -1:],) if use_cache else None
""",
)


def answers(source: str, settings: VerifySettings = SETTINGS) -> Finding:
    install()
    (finding,) = verify(source, settings)
    assert finding.check == "deployability"
    return finding


@pytest.mark.parametrize("source", [SERVED, OWN_CACHE], ids=["cache of fla", "cache of its own"])
def test_what_works_is_seen(source: str) -> None:
    finding = answers(source)
    assert set(finding.measured.values()) == {"yes"}, finding.evidence


@pytest.mark.parametrize("name", baseline_names())
def test_baselines_can_be_served(name: str) -> None:
    finding = answers(baseline_program(name).source, replace(SETTINGS, require_deployable=True))
    assert finding.passed
    assert set(finding.measured.values()) == {"yes"}, finding.evidence


@pytest.mark.parametrize(
    ("item", "old", "new"),
    [
        ("left_padding", "attention_mask.unsqueeze(-1)", "attention_mask.flip(1).unsqueeze(-1)"),
        ("packed_sequences", "value[:, start:].cumsum(1)", "value[:, start:].cumsum(1) * 1.01"),
        ("cached_decoding", 'past_key_values[0]["recurrent_state"]', "0.01"),
        ("bfloat16", "return total,", "return total.float(),"),
        ("saved_weights", "torch.randn(hidden_size))", "torch.randn(hidden_size), False)"),
    ],
)
def test_what_does_not_work_is_told_and_rejected_on_demand(item: str, old: str, new: str) -> None:
    assert old in SERVED
    finding = answers(SERVED.replace(old, new))
    assert [name for name, verdict in finding.measured.items() if verdict != "yes"] == [item]
    assert finding.measured[item] == "no"
    assert finding.passed
    assert finding.evidence.startswith(f"{item}: ")
    assert finding.hint
    assert not answers(SERVED.replace(old, new), replace(SETTINGS, require_deployable=True)).passed


def test_what_is_not_offered_is_told_from_what_fails() -> None:
    measured = answers(PLAIN).measured
    assert measured["left_padding"] == "no"  # named, but the padding is counted as a step
    assert measured["packed_sequences"] == measured["cached_decoding"] == "not offered"


def test_a_layer_without_keywords_offers_nothing() -> None:
    bare = (
        PLAIN.replace("attention_mask=None, past_key_values=None, use_cache=False,", "")
        .replace("output_attentions=False, **kwargs", "")
        .replace(", None, past_key_values", "")
    )
    measured = answers(bare).measured
    names = ("left_padding", "packed_sequences", "cached_decoding")
    assert {measured[name] for name in names} == {"not offered"}


def test_a_rule_based_design_pads_but_does_not_decode() -> None:
    measured = answers(render(Design.from_choices({}), "Drawn").source).measured
    assert measured["saved_weights"] == "yes"
    assert measured["cached_decoding"] == "not offered"
