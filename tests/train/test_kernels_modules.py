"""The stand-in modules against straightforward torch, and fla's parameter names."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.errors import UserError
from asi_arch.train.kernels.modules.activations import ACT2FN, elu_p1, powglu, swiglu
from asi_arch.train.kernels.modules.convolution import ShortConvolution, causal_conv1d
from asi_arch.train.kernels.modules.losses import (
    FusedCrossEntropyLoss,
    FusedLinearCrossEntropyLoss,
)
from asi_arch.train.kernels.modules.mlp import GatedMLP
from asi_arch.train.kernels.modules.norm_functions import (
    l2norm,
    rms_norm_linear,
    rms_norm_swish_gate_linear,
    rmsnorm_fn,
)
from asi_arch.train.kernels.modules.norms import (
    FusedLayerNormGated,
    FusedRMSNormGated,
    GroupNorm,
    LayerNorm,
    RMSNorm,
    RMSNormGated,
)
from asi_arch.train.kernels.modules.rotary import RotaryEmbedding, rotary_embedding
from asi_arch.train.kernels.modules.token_shift import token_shift

torch.set_num_threads(1)

close = torch.testing.assert_close


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def reference_conv(layer: ShortConvolution, x: Tensor) -> Tensor:
    """torch's depthwise convolution over a left-padded sequence."""
    padded = F.pad(x.transpose(1, 2), (layer.kernel_size[0] - 1, 0))
    y = F.conv1d(padded, layer.weight, layer.bias, groups=layer.hidden_size).transpose(1, 2)
    return F.silu(y) if layer.activation else y


@pytest.mark.parametrize("length", [1, 2, 9])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("activation", ["silu", None])
def test_convolution_agrees_with_conv1d(length: int, bias: bool, activation: str | None) -> None:
    layer = ShortConvolution(6, 4, bias=bias, activation=activation).double()
    x = torch.randn(2, length, 6, dtype=torch.float64, requires_grad=True)
    leaves = [x, *layer.parameters()]
    weights = torch.randn_like(x)
    found, state = layer(x)
    expected = reference_conv(layer, x)
    close(found, expected)
    assert state is None
    for ours, theirs in zip(
        torch.autograd.grad((found * weights).sum(), leaves),
        torch.autograd.grad((expected * weights).sum(), leaves),
        strict=True,
    ):
        close(ours, theirs)


def test_convolution_decodes_token_by_token() -> None:
    layer = ShortConvolution(6, 4)
    x = torch.randn(2, 7, 6)
    expected = reference_conv(layer, x)
    with torch.no_grad():
        y, cache = layer(x[:, :2], output_final_state=True)
        parts = [y]
        for t in range(2, 7):
            y, new = layer(x[:, t : t + 1], cache=cache, output_final_state=True)
            assert new is cache, "decoding updates the cache in place"
            parts.append(y)
    close(torch.cat(parts, 1), expected)
    assert cache is not None
    close(cache, x[:, -4:].transpose(1, 2))


def test_convolution_continues_from_a_cache_with_gradients() -> None:
    layer = ShortConvolution(6, 4)
    x = torch.randn(2, 9, 6)
    _, cache = layer(x[:, :5], output_final_state=True)
    y, final = layer(x[:, 5:], cache=cache, output_final_state=True)
    close(y, reference_conv(layer, x)[:, 5:])
    assert final is not None
    close(final, x[:, -4:].transpose(1, 2))


def test_convolution_keeps_packed_sequences_apart() -> None:
    layer = ShortConvolution(6, 4)
    x = torch.randn(1, 12, 6)
    y, state = layer(x, cu_seqlens=torch.tensor([0, 2, 12]), output_final_state=True)
    close(y[:, :2], reference_conv(layer, x[:, :2]))
    close(y[:, 2:], reference_conv(layer, x[:, 2:]))
    assert state is not None
    close(state[0], F.pad(x[0, :2].T, (2, 0)))
    with torch.no_grad():
        step, _ = layer(x[:, :2], cache=state, cu_seqlens=torch.tensor([0, 1, 2]))
    assert step.shape == (1, 2, 6)


def test_convolution_adds_the_residual_last_and_masks_padding() -> None:
    layer = ShortConvolution(6, 4)
    x, residual = torch.randn(2, 5, 6), torch.randn(2, 5, 6)
    mask = torch.ones(2, 5)
    mask[1, :2] = 0
    y, _ = layer(x, residual=residual, mask=mask)
    close(y, reference_conv(layer, x * mask[..., None]) + residual)
    heads, _ = causal_conv1d(x.view(2, 5, 2, 3), layer.weight[:, 0], activation="silu")
    close(heads, reference_conv(layer, x).view(2, 5, 2, 3))


def test_an_unknown_activation_is_refused_at_once() -> None:
    with pytest.raises(UserError, match="activation 'relu' is not known; use 'silu'"):
        ShortConvolution(6, 4, activation="relu")


def test_norms_agree_with_torch() -> None:
    x = torch.randn(2, 5, 12)
    rms, layer = RMSNorm(12), LayerNorm(12, bias=True)
    with torch.no_grad():
        for p in (*rms.parameters(), *layer.parameters()):
            p.copy_(torch.randn(12))
    close(rms(x), F.rms_norm(x, (12,), rms.weight, 1e-5))
    close(layer(x), F.layer_norm(x, (12,), layer.weight, layer.bias))
    group = GroupNorm(3, 12, bias=True)
    close(group(x).flatten(0, 1), F.group_norm(x.flatten(0, 1), 3))
    close(RMSNorm(12, elementwise_affine=False)(x), F.rms_norm(x, (12,), None, 1e-5))


def test_norms_carry_the_residual_and_the_type() -> None:
    x, residual = torch.randn(2, 5, 12), torch.randn(2, 5, 12)
    y, total = RMSNorm(12)(x, residual, prenorm=True)
    close(total, x + residual)
    close(y, F.rms_norm(x + residual, (12,), None, 1e-5))
    half = x.bfloat16()
    assert RMSNorm(12, dtype=torch.float32)(half).dtype is torch.bfloat16
    _, wide = RMSNorm(12)(half, prenorm=True, residual_in_fp32=True)
    assert wide.dtype is torch.float32


@pytest.mark.parametrize("activation", ["swish", "silu", "sigmoid"])
def test_gated_norms_multiply_by_the_gate(activation: str) -> None:
    x, g = torch.randn(2, 5, 3, 12), torch.randn(2, 5, 3, 12)
    gate = torch.sigmoid(g) if activation == "sigmoid" else F.silu(g)
    rms, layer = FusedRMSNormGated(12, activation=activation), FusedLayerNormGated(12)
    close(rms(x, g), F.rms_norm(x, (12,), None, 1e-5) * gate)
    close(layer(x, g), F.layer_norm(x, (12,)) * F.silu(g))
    with pytest.raises(UserError, match="activation 'tanh' is not known"):
        FusedRMSNormGated(12, activation="tanh")


def test_norm_functions_with_a_linear_map() -> None:
    x, g, weight = torch.randn(2, 5, 12), torch.randn(2, 5, 12), torch.randn(7, 12)
    normed = F.rms_norm(x, (12,), None, 1e-5)
    close(rms_norm_linear(x, None, None, weight, None), F.linear(normed, weight))
    gated = rms_norm_swish_gate_linear(x, g, torch.ones(12), None, weight, None, eps=1e-5)
    close(gated, F.linear(normed * F.silu(g), weight))


def test_mamba_norm_gates_before_or_after() -> None:
    x, z = torch.randn(2, 5, 12), torch.randn(2, 5, 12)
    after = rmsnorm_fn(x, torch.ones(12), None, z, eps=1e-5, group_size=4)
    close(after, F.rms_norm(x.view(2, 5, 3, 4), (4,), None, 1e-5).flatten(-2) * F.silu(z))
    close(RMSNormGated(12)(x, z), F.rms_norm(x * F.silu(z), (12,), None, 1e-5))


def test_l2norm_gives_unit_length() -> None:
    x = 10 * torch.randn(2, 5, 12)
    close(l2norm(x), F.normalize(x, dim=-1))
    assert l2norm(x.half(), output_dtype=torch.float32).dtype is torch.float32


def complex_rotation(x: Tensor, positions: Tensor) -> Tensor:
    """Rotary embedding as a product of complex numbers, halves against each other."""
    half = x.shape[-1] // 2
    angle = positions[..., None] * 10000.0 ** (-torch.arange(half) / half)
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.exp(1j * angle).unsqueeze(-2)
    return torch.cat((turned.real, turned.imag), -1)


def test_rotary_rotates_by_the_position() -> None:
    rotary = RotaryEmbedding(8)
    q, k = torch.randn(2, 6, 3, 8), torch.randn(2, 6, 1, 8)
    steps = torch.arange(6)
    found_q, found_k = rotary(q, k)
    close(found_q, complex_rotation(q, steps))
    close(found_k, complex_rotation(k, steps))
    close(rotary(q, k, seqlen_offset=5)[0], complex_rotation(q, steps + 5))
    offsets = torch.tensor([0, 4])
    close(rotary(q, k, offsets, max_seqlen=10)[0], complex_rotation(q, steps + offsets[:, None]))
    bounds = torch.tensor([0, 2, 6])
    packed = complex_rotation(q, torch.tensor([0, 1, 0, 1, 2, 3]))
    close(rotary(q, k, cu_seqlens=bounds)[0], packed)
    for offset in (3, torch.tensor([3, 1])):
        shift = 3 if isinstance(offset, int) else torch.tensor([3, 3, 1, 1, 1, 1])
        expected = complex_rotation(q, torch.tensor([0, 1, 0, 1, 2, 3]) + shift)
        close(rotary(q, k, offset, cu_seqlens=bounds, max_seqlen=10)[0], expected)
    assert not rotary.state_dict(), "the angles are no parameters"


def test_rotary_interleaved_is_the_same_up_to_order() -> None:
    x = torch.randn(2, 6, 3, 10)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    angle = torch.arange(6)[:, None] * torch.rand(4)
    found = rotary_embedding(x, angle.cos(), angle.sin(), interleaved=True)
    halves = rotary_embedding(x[..., order], angle.cos(), angle.sin())
    close(found[..., order], halves)
    close(found[..., 8:], x[..., 8:])


def test_token_shift_looks_one_back() -> None:
    x = torch.randn(1, 5, 4)
    close(token_shift(x), F.pad(x[:, :-1], (0, 0, 1, 0)) - x)
    bounds = torch.tensor([0, 2, 5])
    apart = [F.pad(part[:, :-1], (0, 0, 1, 0)) - part for part in (x[:, :2], x[:, 2:])]
    close(token_shift(x, cu_seqlens=bounds), torch.cat(apart, 1))
    first, cache = token_shift(x[:, :2], output_cache=True)
    rest = token_shift(x[:, 2:], cache=cache)
    assert isinstance(rest, Tensor)
    close(torch.cat((first, rest), 1), token_shift(x))


def test_activations() -> None:
    x, y = torch.randn(50), torch.randn(50)
    close(elu_p1(x), F.elu(x) + 1)
    close(swiglu(x, y), F.silu(x) * y)
    close(ACT2FN["sqrelu"](x), F.relu(x) ** 2)
    positive = x.clamp_min(1e-9)
    power = torch.where(x > 0, torch.exp(3 / (positive.sqrt() + 1) * positive.log()), x)
    close(powglu(x, y), power * torch.sigmoid(x) * y)


def test_gated_mlp_has_the_width_of_fla() -> None:
    mlp = GatedMLP(96)
    assert {n: tuple(p.shape) for n, p in mlp.named_parameters()} == {
        "gate_proj.weight": (256, 96),
        "up_proj.weight": (256, 96),
        "down_proj.weight": (96, 256),
    }
    x = torch.randn(3, 96)
    close(mlp(x), mlp.down_proj(F.silu(mlp.gate_proj(x)) * mlp.up_proj(x)))


def test_losses_agree_with_torch() -> None:
    x, weight = torch.randn(2, 5, 8), torch.randn(11, 8)
    target = torch.randint(0, 11, (2, 5))
    target[0, 0] = -100
    logits, flat = x.flatten(0, 1) @ weight.T, target.flatten()
    close(FusedLinearCrossEntropyLoss()(x, target, weight), F.cross_entropy(logits, flat))
    capped = 5 * torch.tanh(2 * logits / 5)
    square = capped.logsumexp(-1).square()[1:].mean()
    loss = FusedCrossEntropyLoss(logit_scale=2.0, logit_softcapping=5.0, lse_square_scale=0.1)
    close(loss(logits, flat), F.cross_entropy(capped, flat) + 0.1 * square)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (ShortConvolution(6, 4, bias=True), {"weight": (6, 1, 4), "bias": (6,)}),
        (RMSNorm(6), {"weight": (6,)}),
        (LayerNorm(6, bias=True), {"weight": (6,), "bias": (6,)}),
        (FusedRMSNormGated(6), {"weight": (6,)}),
        (RotaryEmbedding(6), {}),
    ],
)
def test_state_dicts_have_the_names_and_shapes_of_fla(
    module: nn.Module, names: dict[str, tuple[int, ...]]
) -> None:
    assert {n: tuple(p.shape) for n, p in module.state_dict().items()} == names
