"""The shipped baseline programs keep the candidate contract."""

import sys
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from asi_arch.baselines import baseline_program
from asi_arch.baselines._fla import layer_names
from asi_arch.errors import UserError
from asi_arch.train.kernels import install
from asi_arch.verify import VerifySettings, verify

torch.set_num_threads(1)

BASELINES = {
    "transformer": "SoftmaxAttention",
    "deltanet": "DeltaNet",
    "deltanet_control": "DeltaNetControl",
    "gated_deltanet": "GatedDeltaNet",
    "gla": "GatedLinearAttention",
    "mamba2": "Mamba2",
    "retnet": "Retention",
}
SERVED = ("DeltaNet", "GatedLinearAttention", "HGRN2Attention", "MultiScaleRetention")


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
    assert max(count.values()) < 2.2 * count["transformer"]


def test_the_control_adds_convolutions_and_a_gate_only() -> None:
    plain, control = (dict(mixer(n).named_parameters()) for n in ("deltanet", "deltanet_control"))
    assert control.keys() - plain.keys() == {"g_proj.weight"}
    larger = [name for name, p in plain.items() if control[name].numel() != p.numel()]
    assert larger == ["q_conv1d.weight", "k_conv1d.weight", "v_conv1d.weight"]


@pytest.mark.parametrize("name", ["gla", "mamba2", "retnet", "deltanet_control"])
def test_every_check_passes(name: str) -> None:
    findings = verify(baseline_program(name).source, VerifySettings(parameters=100_000))
    assert [finding for finding in findings if not finding.passed] == []
    serving = next(f for f in findings if f.check == "deployability").measured
    assert set(serving.values()) == {"yes"}


def test_mamba2_is_the_recurrence_of_its_paper() -> None:
    """Compared with h = exp(dt A) h + dt B x, y = C h + D x, token by token."""
    layer, u = mixer("mamba2").double(), torch.randn(1, 20, 32, dtype=torch.float64)
    get = layer.get_parameter
    dt = nn.functional.softplus(layer.get_submodule("dt_proj")(u) + get("dt_bias"))
    mixed = layer.get_submodule("conv1d")(layer.get_submodule("in_proj")(u))[0]
    x, b, c = mixed.split([64, 32, 32], dim=-1)
    x, state, outputs = x.view(1, 20, 2, 32), torch.zeros(2, 32, 32, dtype=torch.float64), []
    for t in range(20):
        decay = (-get("A_log").exp() * dt[0, t]).exp()
        new = torch.einsum("n,hd,h->hnd", b[0, t], x[0, t], dt[0, t])
        state = decay[:, None, None] * state + new
        outputs.append(torch.einsum("n,hnd->hd", c[0, t], state) + get("D")[:, None] * x[0, t])
    y = torch.stack(outputs).view(1, 20, 64)
    z = layer.get_submodule("z_proj")(u)
    expected = layer.get_submodule("o_proj")(layer.get_submodule("norm")(y, z))
    torch.testing.assert_close(layer(u)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SERVED)
def test_a_layer_of_fla_goes_by_its_name(name: str) -> None:
    found = verify(baseline_program(f"fla:{name}").source, VerifySettings(only=("contract",)))
    assert [(one.check, one.passed) for one in found] == [("contract", True)]


@pytest.mark.parametrize("name", layer_names())
def test_every_layer_of_fla_makes_a_program(name: str) -> None:
    source = baseline_program(f"fla:{name}").source
    assert f"class Fla{name}({name}):" in source
    compile(source, name, "exec")


def test_a_layer_without_a_cpu_implementation_is_a_finding() -> None:
    (found,) = verify(baseline_program("fla:GatedSlotAttention").source)
    assert not found.passed and "fla.ops.gsa has no CPU implementation" in found.evidence


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown baseline 'x'; choose from: deltanet, .*fla:"):
        baseline_program("x")
    with pytest.raises(UserError, match=r"fla has no layer 'X'; choose from: ABCAttention, "):
        baseline_program("fla:X")


def test_gated_deltanet_starts_with_the_published_decay() -> None:
    layer = mixer("gated_deltanet")
    step = nn.functional.softplus(layer.get_parameter("dt_bias"))
    assert ((step >= 0.9e-3) & (step <= 0.11)).all()
    assert (
        (layer.get_parameter("A_log").exp() >= 1) & (layer.get_parameter("A_log").exp() <= 16)
    ).all()
