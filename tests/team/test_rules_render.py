"""Rendered programs: honest and trainable for every value and every pair of values."""

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from asi_arch.errors import UserError
from asi_arch.team.rules.render import read_design, render
from asi_arch.team.rules.space import BASELINES, SPACE, Design, draw
from asi_arch.train.kernels import install
from asi_arch.train.layer import build_layer, load_layer

HIDDEN, HEADS = 16, 2
Pair = tuple[tuple[str, str], tuple[str, str]]


def pairs_of(design: Design) -> set[Pair]:
    return set(itertools.combinations(design.items(), 2))


def covering_designs() -> list[Design]:
    """Designs that together hold every pair of values of any two decisions."""
    rng = np.random.default_rng(0)
    missing = {
        ((a.name, i), (b.name, j))
        for a, b in itertools.combinations(SPACE.values(), 2)
        for i, j in itertools.product(a.options, b.options)
    }
    designs = []
    while missing:
        wanted = dict(min(missing))
        tries = [draw(rng).replace(**wanted) for _ in range(60)]
        best = max(tries, key=lambda d: len(pairs_of(d) & missing))
        designs.append(best)
        missing -= pairs_of(best)
    return designs


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    torch.set_num_threads(1)
    install()


def build(design: Design) -> nn.Module:
    torch.manual_seed(0)
    return build_layer(load_layer(render(design, "Layer").source), HIDDEN, HEADS)


def output(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(layer(x)[0])


def check_gradients(layer: nn.Module, length: int) -> set[str]:
    """Run forward and backward; return the parameters whose gradient is not zero."""
    layer.zero_grad()
    x = torch.randn(2, length, HIDDEN, requires_grad=True)
    y = output(layer, x)
    assert y.shape == x.shape
    torch.autograd.backward((y * torch.randn_like(y)).sum())
    gradients = {name: p.grad for name, p in layer.named_parameters()} | {"input": x.grad}
    for name, gradient in gradients.items():
        assert gradient is not None and gradient.isfinite().all(), (name, length)
    return {name for name, gradient in gradients.items() if gradient is not None and gradient.any()}


def check_causality(layer: nn.Module) -> None:
    x = torch.randn(1, 100, HIDDEN)
    later = x.clone()
    later[:, 70:] = torch.randn(1, 30, HIDDEN) * 3
    with torch.no_grad():
        before, after = output(layer, x), output(layer, later)
        torch.testing.assert_close(before[:, :70], after[:, :70], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(before[:, 70:], after[:, 70:])


def check_large_inputs(layer: nn.Module) -> None:
    with torch.no_grad():
        assert output(layer, 10 * torch.randn(1, 512, HIDDEN)).abs().max() < 1e6


@pytest.mark.parametrize("design", covering_designs(), ids=lambda d: d.class_name)
def test_every_pair_of_values_gives_an_honest_trainable_layer(design: Design) -> None:
    layer = build(design)
    for length in (1, 100):
        check_gradients(layer, length)
    assert check_gradients(layer, 7) == {name for name, _ in layer.named_parameters()} | {"input"}
    check_causality(layer)
    check_large_inputs(layer)


@pytest.mark.parametrize("baseline", BASELINES)
def test_every_single_value_trains_beside_a_baseline(baseline: str) -> None:
    for decision in SPACE.values():
        for option in decision.options:
            check_gradients(build(BASELINES[baseline].replace(**{decision.name: option})), 64)


@pytest.mark.parametrize("norm", ["none", "l2", "rms"])
@pytest.mark.parametrize("decay", SPACE["decay"].options)
def test_delta_rule_stays_bounded_on_a_repeated_token(decay: str, norm: str) -> None:
    """The worst case of the delta rule: the same long key again and again, written at strength 2."""
    design = Design.from_choices(
        {"update": "delta", "decay": decay, "write": "twice_sigmoid", "qk_norm": norm}
    )
    layer = build(design)
    x = 10 * torch.randn(1, 1, HIDDEN).expand(1, 512, HIDDEN)
    with torch.no_grad():
        y = output(layer, x)
    assert y.abs().max() < 50 * output(layer, x[:, :1]).abs().max()


def test_padding_on_the_left_changes_nothing() -> None:
    layer = build(BASELINES["gated_deltanet"])
    x = torch.randn(1, 20, HIDDEN)
    padded = torch.cat([torch.randn(1, 5, HIDDEN), x], dim=1)
    mask = torch.tensor([[0] * 5 + [1] * 20])
    with torch.no_grad():
        masked = layer(padded, attention_mask=mask)[0][:, 5:]
    torch.testing.assert_close(masked, output(layer, x), rtol=1e-4, atol=1e-5)


def test_programs_are_clean_for_ruff(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    designs = [*BASELINES.values(), *covering_designs()[:25], *(draw(rng) for _ in range(60))]
    for design in designs:
        source = render(design, design.class_name).source
        (tmp_path / f"{design.class_name}.py").write_text(source)
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--isolated", "--no-cache", "--line-length", "100", str(tmp_path)]
    for command in (["check", "--select", "E,F,W,I"], ["format", "--check"]):
        done = subprocess.run([*ruff, *command, *options], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_programs_define_what_they_call_and_call_what_they_define() -> None:
    rng = np.random.default_rng(6)
    for _ in range(50):
        source = render(draw(rng), "Layer").source
        layer = next(n for n in ast.parse(source).body if isinstance(n, ast.ClassDef))
        methods = {n.name for n in layer.body if isinstance(n, ast.FunctionDef)}
        for method in methods - {"__init__", "forward"}:
            assert source.count(f"self.{method}(") >= 1, method
        assert len(source.splitlines()) < 150


def test_rendering_is_deterministic_and_reads_back() -> None:
    rng = np.random.default_rng(7)
    for _ in range(100):
        design = draw(rng)
        program = render(design, design.class_name)
        assert program == render(design, design.class_name)
        assert read_design(program.source) == design


@pytest.mark.parametrize("source", ['"""Some layer."""\n', "x = 1\n", "def ("])
def test_other_programs_are_not_read(source: str) -> None:
    with pytest.raises(UserError, match="program"):
        read_design(source)
