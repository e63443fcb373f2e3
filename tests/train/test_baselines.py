"""The shipped baseline programs keep the candidate contract."""

import sys
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from asi_arch.baselines import baseline_program
from asi_arch.train.kernels import install

torch.set_num_threads(1)

BASELINES = {
    "transformer": "SoftmaxAttention",
    "deltanet": "DeltaNet",
    "gated_deltanet": "GatedDeltaNet",
}


@pytest.fixture(autouse=True)
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve the stand-ins for fla, and take every trace of them away again."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in [n for n in sys.modules if n.partition(".")[0] == "fla"]:
        monkeypatch.delitem(sys.modules, name)
    install()
    torch.manual_seed(0)
    yield
    for name in [n for n in sys.modules if n.partition(".")[0] == "fla"]:
        del sys.modules[name]


def mixer(name: str) -> nn.Module:
    space: dict[str, type[nn.Module]] = {"__name__": name}  # type: ignore[dict-item]
    exec(compile(baseline_program(name).source, f"{name}.py", "exec"), space)
    return space[BASELINES[name]](hidden_size=32, num_heads=2, layer_idx=0, mode="chunk")


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("length", [1, 70])
def test_forward_and_backward(name: str, length: int) -> None:
    layer = mixer(name)
    x = torch.randn(2, length, 32, requires_grad=True)
    out, attention, cache = layer(x, past_key_values="kept")
    out.square().sum().backward()
    assert out.shape == x.shape
    assert (attention, cache) == (None, "kept")
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("name", BASELINES)
def test_the_past_does_not_see_the_future(name: str) -> None:
    layer = mixer(name)
    x = torch.randn(2, 70, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0][:, 30].sum(), x)
    assert gradient[:, 31:].abs().max() == 0
    assert gradient[:, :30].abs().min(-1).values.max() > 0


@pytest.mark.parametrize("name", BASELINES)
def test_padding_changes_nothing(name: str) -> None:
    layer = mixer(name)
    x, mask = torch.randn(2, 40, 32), torch.ones(2, 40)
    mask[1, :15] = 0
    out = layer(x, attention_mask=mask)[0]
    torch.testing.assert_close(out[:1], layer(x[:1])[0])
    torch.testing.assert_close(out[1:, 15:], layer(x[1:, 15:])[0], rtol=1e-4, atol=1e-5)


def test_sizes_are_comparable() -> None:
    count = {name: sum(p.numel() for p in mixer(name).parameters()) for name in BASELINES}
    assert count["transformer"] == 4 * 32 * 32
    assert count["transformer"] < count["deltanet"] < count["gated_deltanet"]
    assert count["gated_deltanet"] < 1.5 * count["transformer"]


def test_gated_deltanet_starts_with_the_published_decay() -> None:
    layer = mixer("gated_deltanet")
    step = nn.functional.softplus(layer.get_parameter("dt_bias"))
    assert ((step >= 0.9e-3) & (step <= 0.11)).all()
    assert (
        (layer.get_parameter("A_log").exp() >= 1) & (layer.get_parameter("A_log").exp() <= 16)
    ).all()
