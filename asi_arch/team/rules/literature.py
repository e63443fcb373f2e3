"""Written rules: where the literature says that a layer is weak, and what mends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rule:
    """If a layer answers as in `when`, its `decision` is better answered with `new`."""

    decision: str
    old: str
    new: str
    reason: str
    sources: tuple[str, ...]
    when: Mapping[str, str] = field(default_factory=dict)

    def applies(self, parent: Mapping[str, str]) -> bool:
        """Whether the parent has the weakness."""
        return all(parent[name] == value for name, value in self.when.items()) and (
            parent[self.decision] == self.old
        )


RULES = (
    Rule(
        "decay",
        "none",
        "scalar",
        "a state that never fades fills up with stale entries, and a gate clears it at once",
        ("2412.06464", "2405.21060"),
    ),
    Rule(
        "decay",
        "head",
        "scalar",
        "a fixed rate of forgetting cannot keep one token and drop the next",
        ("2405.21060", "2103.02143"),
    ),
    Rule(
        "decay",
        "scalar",
        "channel",
        "forgetting channel by channel uses the state better than one gate per head",
        ("2510.26692", "2312.06635"),
    ),
    Rule(
        "update",
        "additive",
        "delta",
        "an additive state cannot overwrite, so associations with similar keys blur",
        ("2102.11174", "2406.06484"),
    ),
    Rule(
        "write",
        "one",
        "sigmoid",
        "a learned write strength lets the delta rule correct an entry by degrees",
        ("2102.11174", "2406.06484"),
        {"update": "delta"},
    ),
    Rule(
        "write",
        "sigmoid",
        "twice_sigmoid",
        "negative eigenvalues let the delta rule track states that a positive one cannot",
        ("2411.12537",),
        {"update": "delta"},
    ),
    Rule(
        "qk_norm",
        "none",
        "l2",
        "under the delta rule, keys of unit length make an update a stable projection",
        ("2406.06484",),
        {"update": "delta"},
    ),
    Rule(
        "conv",
        "none",
        "qkv4",
        "without a short convolution a linear layer hardly sees which tokens are neighbours",
        ("2212.14052", "2312.00752"),
    ),
    Rule(
        "out_norm",
        "none",
        "rms",
        "unnormalised reads of a linear layer are unbounded and make its gradients unstable",
        ("2210.10340",),
    ),
    Rule(
        "gate",
        "none",
        "silu",
        "an output gate adds the non-linearity that a linear read-out lacks",
        ("2307.08621", "2312.06635"),
    ),
    Rule(
        "gate",
        "silu",
        "sigmoid",
        "among output gates, a sigmoid for every element was found to work best",
        ("2505.06708", "2510.26692"),
    ),
    Rule(
        "shift",
        "off",
        "on",
        "a token shift gives a layer without convolutions a cheap view of the token before",
        ("2305.13048", "2404.05892"),
        {"conv": "none"},
    ),
    Rule(
        "position",
        "none",
        "rotary",
        "with a fixed fading, rotation adds the relative positions that it lacks",
        ("2307.08621", "2104.09864"),
        {"decay": "head"},
    ),
    Rule(
        "feature",
        "identity",
        "silu",
        "a non-linear feature map raised the recall of the delta rule",
        ("2406.06484",),
        {"update": "delta"},
    ),
)
"""At most one rule speaks for a change of one decision of one layer."""


def find_rule(parent: Mapping[str, str], decision: str, new: str) -> Rule | None:
    """Return the rule that speaks for this change of the parent, if there is one."""
    for rule in RULES:
        if (rule.decision, rule.new) == (decision, new) and rule.applies(parent):
            return rule
    return None


def weaknesses(design: Mapping[str, str]) -> list[Rule]:
    """Return the rules that lead, one after the other, to a layer with nothing left to mend."""
    found = []
    mended = dict(design)
    while rule := next((rule for rule in RULES if rule.applies(mended)), None):
        found.append(rule)
        mended[rule.decision] = rule.new
    return found
