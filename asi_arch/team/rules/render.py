"""Write a design as a PyTorch module, and read the design back from one."""

import ast
import re
import textwrap
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from asi_arch.errors import UserError
from asi_arch.records import Program
from asi_arch.team.rules.space import SPACE, Design

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)

_OPERATORS = {
    ("additive", "none"): "chunk_linear_attn",
    ("additive", "head"): "chunk_simple_gla",
    ("additive", "scalar"): "chunk_simple_gla",
    ("additive", "channel"): "chunk_gla",
    ("delta", "none"): "chunk_delta_rule",
    ("delta", "head"): "chunk_gated_delta_rule",
    ("delta", "scalar"): "chunk_gated_delta_rule",
    ("delta", "channel"): "chunk_kda",
}

_WRITE_STRENGTH = {
    "one": "",
    "sigmoid": "self.write_proj(x).sigmoid()",
    "twice_sigmoid": "2 * self.write_proj(x).sigmoid()",
}

_FUSED = {"sigmoid": "sigmoid", "silu": "swish"}

_PLAIN_IMPORTS = {
    "math": "import math",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
}

_FROM_IMPORTS = {
    "rearrange": "einops",
    "FusedRMSNormGated": "fla.modules",
    "RMSNorm": "fla.modules",
    "RotaryEmbedding": "fla.modules",
    "ShortConvolution": "fla.modules",
    "l2norm": "fla.modules.l2norm",
    "chunk_delta_rule": "fla.ops.delta_rule",
    "chunk_gated_delta_rule": "fla.ops.gated_delta_rule",
    "chunk_gla": "fla.ops.gla",
    "chunk_kda": "fla.ops.kda",
    "chunk_linear_attn": "fla.ops.linear_attn",
    "chunk_simple_gla": "fla.ops.simple_gla",
    "nn": "torch",
}


def render(design: Design, name: str) -> Program:
    """Return the layer of a design as a module that defines the class `name`."""
    body = _TEMPLATES.get_template("layer.py.j2").render(
        name=name,
        d=design,
        taps=design["conv"][-1],
        beta=_WRITE_STRENGTH[design["write"]],
        slow=_call(design, design["decay"]),
        fast=_call(design, "head" if design["decay"] == "none" else design["decay"]),
        shorten=design["update"] == "delta" and design["qk_norm"] != "l2",
        fused=_FUSED.get(design["gate"], "") if design["out_norm"] == "rms" else "",
        average=(design["update"], design["decay"], design["out_norm"])
        == ("additive", "none", "none"),
    )
    return Program(source=f"{_docstring(design, name)}\n\n{_imports(body)}\n\n\n{body}")


def read_design(source: str) -> Design:
    """Return the design that a rendered program was made from, by the sentences it begins with.

    Raises:
        UserError: the text is not a program of this design space.
    """
    try:
        words = " ".join((ast.get_docstring(ast.parse(source)) or "").split())
    except SyntaxError as error:
        raise UserError(f"the program is not Python: {error.msg} (line {error.lineno})") from error
    choices = {}
    for decision in SPACE.values():
        said = [v.name for v in decision.values if v.sentence and v.sentence in words]
        choices[decision.name] = said[0] if said else decision.options[0]
    design = Design.from_choices(choices)
    if _sentences(design) not in words:
        raise UserError("the program was not written by the rule-based team; render a design first")
    return design


def _call(design: Design, decay: str) -> str:
    """Return the call that runs the memory over the sequence."""
    arguments = ["q", "k", "v"]
    if decay != "none":
        arguments.append("g=g")
    if design["update"] == "delta":
        arguments.append("beta=beta")
    if design["qk_norm"] == "l2" or design["feature"] == "softmax":
        arguments.append("scale=1.0")
    operator = _OPERATORS[design["update"], decay]
    if operator == "chunk_linear_attn":
        arguments.append("normalize=False")
    return f"{operator}({', '.join(arguments)})"


def _sentences(design: Design) -> str:
    return " ".join(design.part(name).sentence for name in SPACE if design.part(name).sentence)


def _docstring(design: Design, name: str) -> str:
    words = textwrap.fill(_sentences(design), width=96, break_on_hyphens=False)
    return f'"""{name}: a linear-attention layer.\n\n{words}\n"""'


def _imports(body: str) -> str:
    """Return the imports of the names that the body uses, in the order that isort wants."""
    used = set(re.findall(r"(?<![.\w])\w+", body))
    modules: dict[str, list[str]] = {}
    for name, module in _FROM_IMPORTS.items():
        if name in used:
            modules.setdefault(module, []).append(name)
    plain = [line for name, line in _PLAIN_IMPORTS.items() if name in used]
    lines = [f"from {m} import {', '.join(names)}" for m, names in sorted(modules.items())]
    third_party = "\n".join([line for line in plain if line != "import math"] + lines)
    return f"import math\n\n{third_party}" if "import math" in plain else third_party
