from asi_arch.fingerprint import fingerprint

PROGRAM = '''"""A layer."""
import torch
from torch import nn


class Mixer(nn.Module):
    """Mixes."""

    def __init__(self, hidden_size, num_heads):
        super().__init__()
        self.gate = nn.Linear(hidden_size, num_heads)

    def forward(self, hidden_states):
        out = torch.sigmoid(self.gate(hidden_states))  # a gate
        return out
'''


def test_names_comments_and_docstrings_do_not_count() -> None:
    other = PROGRAM.replace("Mixer", "Other").replace("gate", "door").replace("out", "result")
    other = other.replace('"""Mixes."""', '"""Does something else entirely."""')
    assert fingerprint(other) == fingerprint(PROGRAM)


def test_another_function_counts() -> None:
    assert fingerprint(PROGRAM.replace("sigmoid", "tanh")) != fingerprint(PROGRAM)


def test_swapped_names_count() -> None:
    swapped = PROGRAM.replace(
        "nn.Linear(hidden_size, num_heads)", "nn.Linear(num_heads, hidden_size)"
    )
    assert fingerprint(swapped) != fingerprint(PROGRAM)


def test_text_that_is_not_python_has_a_fingerprint() -> None:
    assert fingerprint("def (") == fingerprint("def (") != fingerprint("def )")
