"""The design space: independent decisions, their values, and one point of it, a design."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from asi_arch.errors import UserError
from asi_arch.team.rules.decisions import DECISIONS, Decision, Value

SPACE: Mapping[str, Decision] = MappingProxyType({d.name: d for d in DECISIONS})


@dataclass(frozen=True)
class Design(Mapping[str, str]):
    """One value for every decision; any combination of values is a valid layer."""

    answers: tuple[str, ...]

    def __getitem__(self, decision: str) -> str:
        return self._choices[decision]

    def __iter__(self) -> Iterator[str]:
        return iter(SPACE)

    def __len__(self) -> int:
        return len(SPACE)

    @cached_property
    def _choices(self) -> dict[str, str]:
        return dict(zip(SPACE, self.answers, strict=True))

    def to_choices(self) -> dict[str, str]:
        """Return the design as a plain dictionary, in the order of the space."""
        return dict(self._choices)

    @classmethod
    def from_choices(cls, choices: Mapping[str, str]) -> "Design":
        """Read a design; a decision that is not given takes its simplest (first) value.

        Raises:
            UserError: an unknown decision or value.
        """
        unknown = [name for name in choices if name not in SPACE]
        if unknown:
            raise UserError(f"unknown decision {unknown[0]!r}; choose from: {', '.join(SPACE)}")
        for name, value in choices.items():
            if value not in SPACE[name].options:
                options = ", ".join(SPACE[name].options)
                raise UserError(f"{name} = {value!r} is not allowed; choose one of: {options}")
        return cls(tuple(choices.get(d.name, d.options[0]) for d in DECISIONS))

    def replace(self, **changes: str) -> "Design":
        """Return the design with some decisions changed."""
        return Design.from_choices(self._choices | changes)

    def changes(self, other: Mapping[str, str]) -> list[str]:
        """Names of the decisions in which this design differs from another."""
        return [name for name in SPACE if self[name] != other[name]]

    def part(self, decision: str) -> Value:
        """Return the value that a decision takes here, with its words and sources."""
        return SPACE[decision].find(self[decision])

    @property
    def class_name(self) -> str:
        """A pronounceable class name made of the main parts and a hash of all of them."""
        digest = hashlib.sha256(json.dumps(self._choices).encode()).hexdigest()
        words = "".join(self.part(name).word for name in _NAMED)
        return f"{words}Net{digest[:3].upper()}"


_NAMED = ("memory", "decay", "update", "conv", "local")


def draw(rng: np.random.Generator) -> Design:
    """Return a design drawn uniformly from the whole space."""
    return Design(tuple(str(rng.choice(d.options)) for d in DECISIONS))


_DELTANET = Design.from_choices(
    {
        "update": "delta",
        "write": "sigmoid",
        "feature": "silu",
        "qk_norm": "l2",
        "conv": "qkv4",
        "out_norm": "rms",
    }
)

BASELINES: Mapping[str, Design] = MappingProxyType(
    {
        "deltanet": _DELTANET,
        "gated_deltanet": _DELTANET.replace(decay="scalar", gate="silu"),
    }
)
"""The published layers that are points of the space, by the name of the baseline."""


def baseline_design(name: str) -> Design | None:
    """Return the published layer of this name, however it is spelt, if it is in the space."""
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    return next((d for key, d in BASELINES.items() if key.replace("_", "") == plain), None)
