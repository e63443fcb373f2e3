"""Serving the stand-ins under fla's import names."""

import ast
import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from asi_arch.baselines import baseline_program
from asi_arch.train.kernels import install
from asi_arch.train.kernels.serve import SERVED
from asi_arch.verify import VerifySettings, verify

torch.set_num_threads(1)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the stand-ins, and take every trace of them away again."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in [n for n in sys.modules if n.partition(".")[0] == "fla"]:
        monkeypatch.delitem(sys.modules, name)
    install()
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] == "fla"]:
        del sys.modules[name]


def attribute(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("path", SERVED)
def test_every_row_of_the_table_is_served(path: str, served: None) -> None:
    assert attribute(path, "__all__")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("fla.ops", "chunk_gla"),
        ("fla.ops.delta_rule.chunk", "chunk_delta_rule"),
        ("fla.ops.kda.gate", "fused_kda_gate"),
        ("fla.ops.utils.index", "prepare_lens"),
        ("fla.modules", "FusedRMSNormSwishGate"),
        ("fla.modules.convolution", "ShortConvolution"),
        ("fla.modules.feature_map", "HedgehogFeatureMap"),
        ("fla.ops.delta_rule.naive", "delta_rule_recurrence"),
    ],
)
def test_names_that_programs_import(module: str, name: str, served: None) -> None:
    assert callable(attribute(module, name))


@pytest.mark.parametrize(
    "statement",
    ["import fla.ops.nsa", "from fla.ops.nsa import x", "from fla.ops import parallel_nsa"],
)
def test_an_unserved_name_is_refused_with_a_sentence(statement: str, served: None) -> None:
    expected = r"nsa has no CPU implementation; served on the CPU: chunk_delta_rule, .*chunk_kda"
    with pytest.raises(ImportError, match=expected):
        exec(statement)


def test_an_unserved_module_class_names_the_served_ones(served: None) -> None:
    with pytest.raises(ImportError, match=r"served on the CPU: .*RMSNorm.*ShortConvolution"):
        attribute("fla.modules", "BitLinear")


def test_installing_again_does_nothing(served: None) -> None:
    before = list(sys.meta_path)
    install()
    assert sys.meta_path == before


def test_nothing_is_served_where_cuda_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    before = list(sys.meta_path)
    install()
    assert sys.meta_path == before


def test_checks_run_on_the_cpu_where_cuda_works_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    others = [f for f in sys.meta_path if type(f).__module__ != install.__module__ + ".serve"]
    monkeypatch.setattr(sys, "meta_path", others)
    for name in [n for n in sys.modules if n.partition(".")[0] == "fla"]:
        monkeypatch.delitem(sys.modules, name)
    settings = VerifySettings(only=("contract",))
    found = verify(baseline_program("gated_deltanet").source, settings)
    assert [(one.check, one.passed) for one in found] == [("contract", True)]
    for name in [n for n in sys.modules if n.partition(".")[0] == "fla"]:
        del sys.modules[name]


def test_a_real_fla_imported_before_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    others = [f for f in sys.meta_path if type(f).__module__ != install.__module__ + ".serve"]
    monkeypatch.setattr(sys, "meta_path", others)
    monkeypatch.setitem(sys.modules, "fla", sys)
    with pytest.raises(ImportError, match="already imported"):
        install()


def real_functions(family: str) -> dict[str, ast.arguments]:
    """Arguments of every function in a family of the installed fla, read without running it."""
    spec = importlib.util.find_spec("fla")
    assert spec is not None
    assert spec.submodule_search_locations
    folders = [Path(f, "ops", family) for f in spec.submodule_search_locations]
    trees = [ast.parse(file.read_text()) for f in folders for file in f.glob("*.py")]
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: node.args for node in nodes}


@pytest.mark.parametrize("path", [p for p in SERVED if p.startswith("fla.ops.")])
def test_arguments_are_those_of_fla(path: str, served: None) -> None:
    theirs = real_functions(path.split(".")[2])
    compared = 0
    for name in attribute(path, "__all__"):
        if name in theirs:
            ours = inspect.signature(attribute(path, name)).parameters.values()
            named = [p.name for p in ours if p.kind is not p.VAR_KEYWORD]
            assert named == [a.arg for a in theirs[name].args], name
            defaults = [p.default for p in ours if p.default is not p.empty]
            expected = [ast.unparse(d) for d in theirs[name].defaults]
            assert len(defaults) == len(expected) or name == "fused_recurrent_kda", name
            compared += 1
    assert compared or path == "fla.ops.utils"


LAYERS = [
    ("delta_net", "DeltaNet", {}),
    ("delta_net", "DeltaNet", {"use_gate": True, "qk_norm": "sum", "qk_activation": "elu"}),
    ("gated_deltanet", "GatedDeltaNet", {"head_dim": 8, "num_v_heads": 4}),
    ("gla", "GatedLinearAttention", {"use_short_conv": True}),
    ("hgrn2", "HGRN2Attention", {"expand_ratio": 16}),
    ("kda", "KimiDeltaAttention", {"head_dim": 8, "safe_gate": True, "lower_bound": -5.0}),
    ("linear_attn", "LinearAttention", {"feature_map": "hedgehog", "do_feature_map_norm": True}),
    ("multiscale_retention", "MultiScaleRetention", {}),
    ("simple_gla", "SimpleGatedLinearAttention", {}),
]


@pytest.mark.parametrize(("file", "name", "settings"), LAYERS)
def test_real_layers_train_and_decode(
    file: str, name: str, settings: dict[str, Any], served: None
) -> None:
    torch.manual_seed(0)
    layer = attribute(f"fla.layers.{file}", name)(
        hidden_size=32, num_heads=2, layer_idx=0, **settings
    )
    x = torch.randn(2, 70, 32)
    out = layer(x)[0]
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
    layer.eval()
    with torch.no_grad():
        cache = attribute("fla.models.utils", "Cache")()
        parts = [layer(x[:, :66], past_key_values=cache, use_cache=True)[0]]
        for t in range(66, 70):
            parts.append(layer(x[:, t : t + 1], past_key_values=cache, use_cache=True)[0])
    torch.testing.assert_close(torch.cat(parts, 1), out, rtol=1e-4, atol=1e-5)


def test_a_real_layer_leaves_padding_out(served: None) -> None:
    torch.manual_seed(0)
    layer = attribute("fla.layers", "GatedDeltaNet")(hidden_size=32, num_heads=2, head_dim=16)
    x, mask = torch.randn(2, 40, 32), torch.ones(2, 40)
    mask[1, :15] = 0
    out = layer(x, attention_mask=mask)[0]
    torch.testing.assert_close(out[1:, 15:], layer(x[1:, 15:])[0])


def test_a_fresh_process_is_cheap_and_leaves_the_real_fla_alone() -> None:
    code = """
import time, torch
start = time.process_time()
from asi_arch.train.kernels import install
install()
from fla.ops.gated_delta_rule import chunk_gated_delta_rule
from fla.modules import FusedRMSNormGated, RMSNorm, ShortConvolution
import sys
assert time.process_time() - start < 0.3
assert "triton" not in sys.modules and "transformers" not in sys.modules
"""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)
