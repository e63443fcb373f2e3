"""The table of design decisions: each value with its words, its sources and its sentence.

The first value of a decision is its simplest. A value without a sentence adds nothing to the
layer. Sources are ids of knowledge entries.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Value:
    """One value of a decision: what the docstring of a layer says about it, and who proposed it."""

    name: str
    sentence: str = ""
    sources: tuple[str, ...] = ()
    word: str = ""


@dataclass(frozen=True)
class Decision:
    """A question about a layer and the answers that are possible."""

    name: str
    category: str
    values: tuple[Value, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the values."""
        return tuple(value.name for value in self.values)

    def find(self, name: str) -> Value:
        """Return the value with this name."""
        return next(value for value in self.values if value.name == name)


UPDATE = Decision(
    "update",
    "update",
    (
        Value(
            "additive",
            "Every token adds the outer product of its key and value to the state.",
            ("2006.16236",),
            "Linear",
        ),
        Value(
            "delta",
            "Every token replaces what the state holds under its key (the delta rule).",
            ("2102.11174", "2406.06484"),
            "Delta",
        ),
    ),
)

DECAY = Decision(
    "decay",
    "decay",
    (
        Value("none"),
        Value(
            "head",
            "The state fades at a fixed rate, another one for each head.",
            ("2307.08621",),
            "Retentive",
        ),
        Value(
            "scalar",
            "Each head decides from the token how much of its state to keep.",
            ("2405.21060", "2412.06464", "2103.02143"),
            "Gated",
        ),
        Value(
            "channel",
            "Each key channel decides from the token how much of its row of the state to keep.",
            ("2312.06635", "2404.07904", "2510.26692"),
            "FineGated",
        ),
    ),
)

WRITE = Decision(
    "write",
    "gating",
    (
        Value("one"),
        Value(
            "sigmoid",
            "A write strength between zero and one is read from the token.",
            ("2102.11174", "2406.06484"),
        ),
        Value(
            "twice_sigmoid",
            "A write strength between zero and two is read from the token, so that under the "
            "delta rule a state direction may change its sign.",
            ("2411.12537",),
        ),
    ),
)

FEATURE = Decision(
    "feature",
    "feature map",
    (
        Value("identity"),
        Value("silu", "Queries and keys pass through SiLU.", ("2406.06484", "2307.08621")),
        Value(
            "elu",
            "Queries and keys are made positive by ELU plus one.",
            ("2006.16236",),
        ),
        Value(
            "relu", "Queries and keys are made non-negative and sparse by ReLU.", ("2102.11174",)
        ),
        Value(
            "softmax",
            "Queries and keys are softmax distributions over the channels of a head.",
            ("2409.07146", "2402.18668"),
        ),
    ),
)

QK_NORM = Decision(
    "qk_norm",
    "normalisation",
    (
        Value("none"),
        Value(
            "l2",
            "Queries and keys have unit length.",
            ("2406.06484", "2412.06464"),
        ),
        Value(
            "rms",
            "Queries and keys are normalised by RMSNorm with learned scales.",
            ("2302.05442", "1910.07467"),
        ),
    ),
)

CONV = Decision(
    "conv",
    "convolution",
    (
        Value("none"),
        Value(
            "qk4",
            "Short causal convolutions over four tokens prepare queries and keys.",
            ("2212.14052",),
            "Conv",
        ),
        Value(
            "qkv2",
            "Short causal convolutions over two tokens prepare queries, keys and values.",
            ("2212.14052", "2302.10866"),
            "Conv",
        ),
        Value(
            "qkv4",
            "Short causal convolutions over four tokens prepare queries, keys and values.",
            ("2312.00752", "2406.06484"),
            "Conv",
        ),
    ),
)

GATE = Decision(
    "gate",
    "gating",
    (
        Value("none"),
        Value("sigmoid", "A sigmoid gate scales every channel read.", ("2505.06708", "2305.13048")),
        Value("silu", "A SiLU gate scales every channel read.", ("2307.08621", "2002.05202")),
        Value(
            "low_rank",
            "A sigmoid gate of low rank scales every channel read.",
            ("2510.26692", "2503.14456"),
        ),
        Value("head", "One sigmoid gate per head scales what is read.", ("2505.06708",)),
    ),
)

OUT_NORM = Decision(
    "out_norm",
    "normalisation",
    (
        Value("none"),
        Value(
            "rms",
            "What a head reads is normalised by RMSNorm.",
            ("2210.10340", "1910.07467"),
        ),
    ),
)

MEMORY = Decision(
    "memory",
    "memory",
    (
        Value("one"),
        Value(
            "two",
            "A second state fades within a few tokens, and each head mixes the fast and the slow "
            "memory by a gate.",
            ("2506.04761", "2507.18074"),
            "Twin",
        ),
    ),
)

KEY_SIZE = Decision(
    "key_size",
    "memory",
    (
        Value("full"),
        Value("half", "Keys are half as wide as the model.", ("2312.06635",)),
    ),
)

VALUE_SIZE = Decision(
    "value_size",
    "memory",
    (
        Value("full"),
        Value("double", "Values are twice as wide as the model.", ("2307.08621", "2412.06464")),
    ),
)

SHIFT = Decision(
    "shift",
    "position",
    (
        Value("off"),
        Value(
            "on",
            "The input of every channel is mixed with that of the token before.",
            ("2305.13048", "2404.05892"),
        ),
    ),
)

LOCAL = Decision(
    "local",
    "local path",
    (
        Value("none"),
        Value(
            "skip",
            "A learned share of each head's own value goes past the memory.",
            ("2405.21060", "2507.18074"),
            "Skip",
        ),
        Value(
            "fir",
            "A causal filter over the last eight values goes past the memory.",
            ("2507.18074", "2302.10866"),
            "Fir",
        ),
    ),
)

POSITION = Decision(
    "position",
    "position",
    (
        Value("none"),
        Value(
            "rotary",
            "Rotary embeddings give queries and keys their relative positions.",
            ("2104.09864", "2307.08621"),
        ),
    ),
)

DECISIONS = (
    UPDATE,
    DECAY,
    WRITE,
    FEATURE,
    QK_NORM,
    CONV,
    GATE,
    OUT_NORM,
    MEMORY,
    KEY_SIZE,
    VALUE_SIZE,
    SHIFT,
    LOCAL,
    POSITION,
)
"""Every decision of the space; they are independent of each other."""
