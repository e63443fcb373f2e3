"""Read a proposal in plain words as a point of the design space.

Each component is looked through for the words of each value; the first value of a decision that
its words name is taken, and what no component speaks of stays as the parent has it.
"""

import re
from collections.abc import Mapping

from asi_arch.errors import BackendError
from asi_arch.records import Proposal
from asi_arch.team.rules.space import Design

_WORDS: Mapping[str, Mapping[str, str]] = {
    "update": {
        "delta": r"\bdelta\b|overwrit|error[- ]correct",
        "additive": r"additive|plain linear attention|outer[- ]product",
    },
    "decay": {
        "none": r"(no|without) decay",
        "channel": r"(per[- ]channel|channel[- ]?wise|fine[- ]grained|diagonal) (decay|gate)",
        "scalar": r"(data[- ]dependent|scalar|gated|learned) decay|forget gate",
        "head": r"(fixed|constant) decay|retention|decay per head",
    },
    "write": {
        "twice_sigmoid": r"negative eigenvalue|2 ?\*? ?sigmoid|\(0, 2\)",
        "sigmoid": r"write (strength|gate)|\bbeta\b",
    },
    "feature": {
        "elu": r"\belu\b",
        "relu": r"\brelu\b",
        "softmax": r"softmax (feature|over (the )?channels)",
        "silu": r"silu (feature|on (q|quer))",
    },
    "qk_norm": {
        "l2": r"\bl2\b|unit (length|norm)",
        "rms": r"qk[- ]?norm|norm(alis|aliz)ed queries",
    },
    "conv": {"qkv4": r"(short|depthwise|causal) conv"},
    "gate": {
        "low_rank": r"low[- ]rank (output )?gate",
        "head": r"(gate per head|head[- ]?wise gate)",
        "sigmoid": r"sigmoid (output )?gate",
        "silu": r"(silu|swish|output) gate|silu\(",
    },
    "out_norm": {"rms": r"output norm|rms ?norm|group ?norm"},
    "memory": {"two": r"two (memor|state|time)|dual memory|fast and slow|multi[- ]scale memor"},
    "key_size": {"half": r"half[- ]width keys|smaller keys"},
    "value_size": {"double": r"(double|twice)[- ](wide|width)? ?values|expand_v"},
    "shift": {"on": r"token[- ]shift"},
    "local": {"fir": r"\bfir\b|local (filter|attention)|sliding window", "skip": r"\bskip\b"},
    "position": {"rotary": r"rotary|\brope\b|rotation"},
}


def read_proposal(proposal: Proposal, parent: Design) -> Design:
    """Return the design that the words of a proposal describe, as a change of the parent.

    Raises:
        BackendError: no component says anything that this space knows.
    """
    text = "\n".join(f"{part.name} {part.description}" for part in proposal.components).lower()
    found = {
        decision: value
        for decision, values in _WORDS.items()
        if (value := next((v for v, words in values.items() if re.search(words, text)), None))
    }
    if not found:
        raise BackendError(
            f"the rule-based Engineer finds no part of {proposal.name} in its design space"
        )
    return parent.replace(**found)
