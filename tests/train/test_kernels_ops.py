"""The chunked operators against fla's own naive references and a float64 recurrence."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from asi_arch.errors import UserError
from asi_arch.train.kernels.ops.delta_rule import chunk_delta_rule, fused_recurrent_delta_rule
from asi_arch.train.kernels.ops.gated_delta_rule import (
    chunk_gated_delta_rule,
    fused_recurrent_gated_delta_rule,
)
from asi_arch.train.kernels.ops.gates import fused_gdn_gate, fused_kda_gate
from asi_arch.train.kernels.ops.gla import chunk_gla, fused_recurrent_gla
from asi_arch.train.kernels.ops.kda import chunk_kda, fused_recurrent_kda
from asi_arch.train.kernels.ops.linear_attn import chunk_linear_attn, fused_recurrent_linear_attn
from asi_arch.train.kernels.ops.retention import (
    chunk_retention,
    parallel_retention,
    retention_decay,
)
from asi_arch.train.kernels.ops.simple_gla import chunk_simple_gla, fused_recurrent_simple_gla

torch.set_num_threads(1)

BATCH, HEADS, KEY, VALUE = 2, 2, 8, 12
LENGTHS = (1, 7, 64, 100, 257)
Inputs = dict[str, Tensor]
Result = tuple[Tensor, Tensor | None]


def naive(family: str) -> Any:
    """Load fla's naive reference from its file; importing fla would cost 12 seconds."""
    spec = importlib.util.find_spec("fla")
    assert spec is not None
    assert spec.submodule_search_locations
    folders = [Path(f, "ops", family, "naive.py") for f in spec.submodule_search_locations]
    file = next(f for f in folders if f.is_file())
    loaded = importlib.util.spec_from_file_location(f"naive_{family}", file)
    assert loaded is not None
    assert loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(module)
    return module


def call(function: Any, *args: Tensor, **settings: Any) -> Any:
    """Call an operator with unpacked tensors, which its static signature cannot follow."""
    return function(*args, **settings)


def by_token(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    state: Tensor | None,
    decay: Tensor | None = None,
    beta: Tensor | None = None,
) -> Result:
    """The recurrences in their plainest form; decay [B, T, H] or [B, T, H, K]."""
    s = q.new_zeros(*q.shape[:1], *q.shape[2:], v.shape[-1]) if state is None else state
    out = []
    for t in range(q.shape[1]):
        if decay is not None:
            kept = decay[:, t].exp()
            s = s * (kept[..., None, None] if kept.dim() == 2 else kept[..., None])
        new = v[:, t]
        if beta is not None:
            new = (new - (s * k[:, t, :, :, None]).sum(-2)) * beta[:, t, :, None]
        s = s + k[:, t, :, :, None] * new[..., None, :]
        out.append((s * q[:, t, :, :, None]).sum(-2) * q.shape[-1] ** -0.5)
    return torch.stack(out, 1), s


def swap(x: Tensor) -> Tensor:
    return x.transpose(1, 2)


def naive_delta(x: Inputs) -> Result:
    args = [swap(x[n]) for n in ("q", "k", "v", "beta")]
    out, state = naive("delta_rule").delta_rule_recurrence(*args, x.get("state"))
    return swap(out), state


def naive_call(function: Any, x: Inputs, *names: str) -> Result:
    args = [x[n] for n in ("q", "k", "v", *names)]
    result: Result = function(*args, initial_state=x.get("state"), output_final_state=True)
    return result


def naive_retention(x: Inputs) -> Result:
    decay = retention_decay(HEADS).float().expand(x["q"].shape[:3])
    function = naive("simple_gla").naive_recurrent_simple_gla
    return naive_call(function, {**x, "g": decay}, "g")


def run_ours(function: Any, x: Inputs, *names: str) -> Result:
    args = [x[n] for n in ("q", "k", "v", *names)]
    extra = {"normalize": False} if function is chunk_linear_attn else {}
    result: Result = function(*args, initial_state=x.get("state"), output_final_state=True, **extra)
    return result


def plain(x: Inputs, **kwargs: Tensor) -> Result:
    return by_token(x["q"], x["k"], x["v"], x.get("state"), **kwargs)


Case = tuple[Callable[[Inputs], Result], Callable[[Inputs], Result], Callable[[Inputs], Result]]

CASES: dict[str, Case] = {
    "delta_rule": (
        lambda x: run_ours(chunk_delta_rule, x, "beta"),
        naive_delta,
        lambda x: plain(x, beta=x["beta"]),
    ),
    "gated_delta_rule": (
        lambda x: run_ours(chunk_gated_delta_rule, x, "g", "beta"),
        lambda x: naive_call(
            naive("gated_delta_rule").naive_recurrent_gated_delta_rule, x, "beta", "g"
        ),
        lambda x: plain(x, decay=x["g"], beta=x["beta"]),
    ),
    "kda": (
        lambda x: run_ours(chunk_kda, x, "gk", "beta"),
        lambda x: naive_call(naive("kda").naive_recurrent_kda, x, "gk", "beta"),
        lambda x: plain(x, decay=x["gk"], beta=x["beta"]),
    ),
    "gla": (
        lambda x: run_ours(chunk_gla, x, "gk"),
        lambda x: naive_call(naive("gla").naive_recurrent_gla, x, "gk"),
        lambda x: plain(x, decay=x["gk"]),
    ),
    "simple_gla": (
        lambda x: run_ours(chunk_simple_gla, x, "g"),
        lambda x: naive_call(naive("simple_gla").naive_recurrent_simple_gla, x, "g"),
        lambda x: plain(x, decay=x["g"]),
    ),
    "linear_attn": (
        lambda x: run_ours(chunk_linear_attn, x),
        lambda x: naive_call(naive("linear_attn").naive_recurrent_linear_attn, x),
        plain,
    ),
    "retention": (
        lambda x: run_ours(chunk_retention, x),
        naive_retention,
        lambda x: plain(x, decay=retention_decay(HEADS).expand(x["q"].shape[:3])),
    ),
}


def inputs(
    length: int, with_state: bool, dtype: torch.dtype, strength: float = 1.0, width: int = KEY
) -> Inputs:
    rng = torch.Generator().manual_seed(length)

    def draw(*shape: int) -> Tensor:
        return torch.randn(BATCH, *shape, generator=rng, dtype=torch.float64)

    x = {
        "q": draw(length, HEADS, width),
        "k": F.normalize(draw(length, HEADS, width), dim=-1),
        "v": draw(length, HEADS, VALUE),
        "beta": draw(length, HEADS).sigmoid(),
        "g": -strength * draw(length, HEADS).abs(),
        "gk": -strength * draw(length, HEADS, width).abs(),
    }
    if with_state:
        x["state"] = draw(HEADS, width, VALUE)
    return {name: value.to(dtype).requires_grad_() for name, value in x.items()}


def value_and_gradients(function: Callable[[Inputs], Result], x: Inputs) -> dict[str, Tensor]:
    """Output, final state and the gradient of a fixed mixture of both in every input."""
    out, state = function(x)
    assert state is not None
    rng = torch.Generator().manual_seed(0)
    loss = sum(
        (y * torch.randn(y.shape, generator=rng, dtype=torch.float64).to(y)).sum()
        for y in (out, state)
    )
    assert isinstance(loss, Tensor)
    grads = torch.autograd.grad(loss, list(x.values()), allow_unused=True)
    found = {f"d_{n}": g for n, g in zip(x, grads, strict=True) if g is not None}
    return {"out": out, "final": state, **found}


def assert_close(ours: dict[str, Tensor], theirs: dict[str, Tensor], tolerance: float) -> None:
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        error = (ours[name] - expected).norm() / expected.norm().clamp_min(1e-12)
        assert error <= tolerance, f"{name}: relative error {error:.2e}"


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("family", CASES)
def test_float32_agrees_with_fla_naive(family: str, length: int, with_state: bool) -> None:
    ours, theirs, _ = CASES[family]
    x = inputs(length, with_state, torch.float32)
    assert_close(value_and_gradients(ours, x), value_and_gradients(theirs, x), 1e-5)


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("family", CASES)
def test_float64_agrees_with_the_recurrence(family: str, length: int, with_state: bool) -> None:
    ours, _, reference = CASES[family]
    x = inputs(length, with_state, torch.float64)
    assert_close(value_and_gradients(ours, x), value_and_gradients(reference, x), 1e-10)


@pytest.mark.parametrize("family", ["delta_rule", "kda", "gla"])
def test_wide_keys_take_longer_chunks(family: str) -> None:
    ours, _, reference = CASES[family]
    x = inputs(130, True, torch.float64, width=80)
    assert_close(value_and_gradients(ours, x), value_and_gradients(reference, x), 1e-10)


def test_parallel_retention_agrees_with_fla_naive() -> None:
    x = inputs(100, False, torch.float32)
    out, _ = parallel_retention(x["q"], x["k"], x["v"])
    expected = naive("retention").naive_retention(*(swap(x[n]) for n in "qkv"))
    assert (out - swap(expected)).norm() / expected.norm() <= 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("family", ["gated_delta_rule", "kda", "gla", "simple_gla"])
def test_strong_decay_stays_finite_and_right(family: str, dtype: torch.dtype) -> None:
    ours, _, reference = CASES[family]
    x = inputs(100, True, dtype, strength=20.0)
    double = {name: value.detach().double().requires_grad_() for name, value in x.items()}
    found = {name: value.double() for name, value in value_and_gradients(ours, x).items()}
    assert all(value.isfinite().all() for value in found.values())
    tolerance = 1e-4 if dtype is torch.float32 else 1e-10
    assert_close(found, value_and_gradients(reference, double), tolerance)


@pytest.mark.parametrize("family", ["gated_delta_rule", "kda", "gla", "simple_gla"])
def test_one_channel_may_forget_all_while_others_keep(family: str) -> None:
    ours, _, reference = CASES[family]
    x = inputs(70, True, torch.float64, strength=0.01)
    with torch.no_grad():
        x["gk"][:, ::3, :, 0] = -400.0
        x["g"][:, ::9] = -400.0
    assert_close(value_and_gradients(ours, x), value_and_gradients(reference, x), 1e-10)


FORMS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "chunk_delta_rule": (chunk_delta_rule, ("beta",)),
    "chunk_gated_delta_rule": (chunk_gated_delta_rule, ("g", "beta")),
    "chunk_kda": (chunk_kda, ("gk", "beta")),
    "chunk_gla": (chunk_gla, ("gk",)),
    "chunk_simple_gla": (chunk_simple_gla, ("g",)),
    "chunk_retention": (chunk_retention, ()),
    "chunk_linear_attn": (chunk_linear_attn, ()),
}


def packed(x: Inputs, names: tuple[str, ...]) -> list[Tensor]:
    return [x[n][:1].detach() for n in ("q", "k", "v", *names)]


@pytest.mark.parametrize("form", FORMS)
def test_packed_sequences_equal_sequences_run_apart(form: str) -> None:
    function, names = FORMS[form]
    bounds = torch.tensor([0, 5, 5, 70, 100])
    args = packed(inputs(100, False, torch.float64), names)
    settings: dict[str, Any] = {"output_final_state": True}
    if form == "chunk_linear_attn":
        settings["normalize"] = False
    start = torch.randn(4, HEADS, KEY, VALUE, dtype=torch.float64)
    out, final = function(*args, cu_seqlens=bounds, initial_state=start, **settings)
    for n, (a, b) in enumerate([(0, 5), (5, 70), (70, 100)]):
        row = n if n == 0 else n + 1
        part = [x[:, a:b] for x in args]
        expected, state = function(*part, initial_state=start[row : row + 1], **settings)
        torch.testing.assert_close(out[:, a:b], expected)
        torch.testing.assert_close(final[row : row + 1], state)
    torch.testing.assert_close(final[1], start[1])


@pytest.mark.parametrize("form", FORMS)
def test_a_carried_state_continues_the_sequence(form: str) -> None:
    function, names = FORMS[form]
    args = packed(inputs(100, False, torch.float64), names)
    whole, last = function(*args, output_final_state=True)
    first, state = function(*(x[:, :37] for x in args), output_final_state=True)
    rest, final = function(*(x[:, 37:] for x in args), initial_state=state, output_final_state=True)
    torch.testing.assert_close(torch.cat((first, rest), 1), whole)
    torch.testing.assert_close(final, last)


@pytest.mark.parametrize("form", FORMS)
def test_later_tokens_change_nothing_earlier(form: str) -> None:
    function, names = FORMS[form]
    args = packed(inputs(100, False, torch.float32), names)
    before, _ = function(*args)
    for x in args:
        x[:, 41:] = torch.rand_like(x[:, 41:])
    after, _ = function(*args)
    assert torch.equal(before[:, :41], after[:, :41])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_inputs_are_computed_in_float32(dtype: torch.dtype) -> None:
    x = {n: t.detach().to(dtype) for n, t in inputs(100, False, torch.float32).items()}
    args = [x[n] for n in ("q", "k", "v", "g", "beta")]
    out, state = call(chunk_gated_delta_rule, *args, output_final_state=True)
    expected, _ = call(chunk_gated_delta_rule, *(t.float() for t in args))
    assert out.dtype is dtype
    assert state is not None
    assert state.dtype is torch.float32
    torch.testing.assert_close(out, expected.to(dtype))


def test_autocast_does_not_lower_the_precision() -> None:
    x = {n: t.detach() for n, t in inputs(100, False, torch.float32).items()}
    expected, _ = chunk_delta_rule(x["q"], x["k"], x["v"], x["beta"])
    with torch.autocast("cpu", torch.bfloat16):
        out, _ = chunk_delta_rule(x["q"], x["k"], x["v"], x["beta"])
    assert torch.equal(out, expected)


def test_state_v_first_is_the_transposed_state() -> None:
    x = {n: t.detach() for n, t in inputs(50, True, torch.float64).items()}
    args = [x[n] for n in ("q", "k", "v", "gk")]
    out, final = call(chunk_gla, *args, initial_state=x["state"], output_final_state=True)
    turned, turned_final = call(
        chunk_gla, *args, initial_state=x["state"].mT, output_final_state=True, state_v_first=True
    )
    assert final is not None
    assert turned_final is not None
    torch.testing.assert_close(turned, out)
    torch.testing.assert_close(turned_final, final.mT)


def test_value_heads_share_query_heads() -> None:
    x = {n: t.detach() for n, t in inputs(50, False, torch.float64).items()}
    v = torch.cat((x["v"], -x["v"]), 2)
    beta, g, gk = (torch.cat((x[n], x[n]), 2) for n in ("beta", "g", "gk"))
    q, k = (x[n].repeat_interleave(2, 2) for n in "qk")
    shared, _ = chunk_gated_delta_rule(x["q"], x["k"], v, g, beta)
    torch.testing.assert_close(shared, chunk_gated_delta_rule(q, k, v, g, beta)[0])
    shared, _ = fused_recurrent_kda(x["q"], x["k"], v, gk, beta)
    torch.testing.assert_close(shared, fused_recurrent_kda(q, k, v, gk, beta)[0])


def test_unit_length_in_the_kernel() -> None:
    x = {n: t.detach() for n, t in inputs(50, False, torch.float64).items()}
    q, k = (t / (t.square().sum(-1, keepdim=True) + 1e-6).sqrt() for t in (x["q"], 3 * x["k"]))
    found, _ = chunk_delta_rule(
        x["q"], 3 * x["k"], x["v"], x["beta"], scale=0.5, use_qk_l2norm_in_kernel=True
    )
    torch.testing.assert_close(found, chunk_delta_rule(q, k, x["v"], x["beta"], scale=0.5)[0])


def test_gates_in_the_kernel_are_the_published_ones() -> None:
    x = {n: t.detach() for n, t in inputs(50, False, torch.float64).items()}
    rate, bias = torch.rand(HEADS).double(), torch.randn(HEADS).double()
    g = -rate.exp() * torch.log1p((x["g"] + bias).exp())
    beta = 2 * x["beta"].sigmoid()
    found, _ = chunk_gated_delta_rule(
        x["q"],
        x["k"],
        x["v"],
        x["g"],
        x["beta"],
        use_gate_in_kernel=True,
        A_log=rate,
        dt_bias=bias,
        use_beta_sigmoid_in_kernel=True,
        allow_neg_eigval=True,
    )
    torch.testing.assert_close(found, chunk_gated_delta_rule(x["q"], x["k"], x["v"], g, beta)[0])
    wide = torch.randn(HEADS * KEY).double()
    raw = x["gk"] + wide.view(HEADS, KEY)
    free = -rate.exp()[:, None] * torch.log1p(raw.exp())
    bounded = -5.0 / (1 + (-rate.exp()[:, None] * raw).exp())
    for bound, gk in ((None, free), (-5.0, bounded)):
        found, _ = call(
            chunk_kda,
            *(x[n] for n in ("q", "k", "v", "gk", "beta")),
            use_gate_in_kernel=True,
            A_log=rate,
            dt_bias=wide,
            lower_bound=bound,
        )
        torch.testing.assert_close(found, chunk_kda(x["q"], x["k"], x["v"], gk, x["beta"])[0])


def test_gates_keep_their_sign_and_type() -> None:
    g = torch.randn(2, 3, HEADS, dtype=torch.bfloat16)
    assert fused_gdn_gate(g, torch.zeros(HEADS)).dtype is torch.float32
    assert (fused_gdn_gate(g, torch.zeros(HEADS)) < 0).all()
    with pytest.raises(UserError, match="A_log is None"):
        fused_kda_gate(g[..., None])


def test_normalised_linear_attention_carries_the_sum_of_keys() -> None:
    x = {n: t.detach() for n, t in inputs(70, False, torch.float32).items()}
    q, k, v = x["q"].abs(), x["k"].abs(), x["v"]
    reference = naive("linear_attn").naive_recurrent_linear_attn
    expected, (kv, z) = reference(q, k, v, normalize=True, output_final_state=True)
    out, state = chunk_linear_attn(q, k, v, output_final_state=True)
    assert isinstance(state, tuple)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(state[0], kv)
    torch.testing.assert_close(state[1], z)
    more, _ = fused_recurrent_linear_attn(q, k, v, initial_state=(kv, z), normalize=True)
    torch.testing.assert_close(more, reference(q, k, v, initial_state=(kv, z), normalize=True)[0])


def test_reverse_runs_from_the_last_token() -> None:
    x = {n: t.detach() for n, t in inputs(50, False, torch.float64).items()}
    backwards = [x[n].flip(1) for n in ("q", "k", "v", "gk")]
    found, _ = fused_recurrent_gla(x["q"], x["k"], x["v"], x["gk"], reverse=True)
    torch.testing.assert_close(found, call(chunk_gla, *backwards)[0].flip(1))
    found, _ = fused_recurrent_simple_gla(x["q"], x["k"], x["v"], x["g"], reverse=True)
    expected, _ = call(chunk_simple_gla, *backwards[:3], x["g"].flip(1))
    torch.testing.assert_close(found, expected.flip(1))


def test_recurrent_forms_have_their_defaults() -> None:
    x = {n: t.detach() for n, t in inputs(50, False, torch.float64).items()}
    ones = torch.ones_like(x["beta"])
    found, _ = fused_recurrent_delta_rule(x["q"], x["k"], x["v"])
    torch.testing.assert_close(found, chunk_delta_rule(x["q"], x["k"], x["v"], ones)[0])
    found, _ = fused_recurrent_gated_delta_rule(x["q"], x["k"], x["v"], x["g"], x["gk"])
    both = x["gk"] + x["g"][..., None]
    torch.testing.assert_close(found, chunk_kda(x["q"], x["k"], x["v"], both, ones)[0])


@pytest.mark.parametrize("form", FORMS)
def test_shapes_can_be_traced_without_memory(form: str) -> None:
    function, names = FORMS[form]
    args = [x.to("meta") for x in packed(inputs(100, False, torch.float32), names)]
    assert function(*args)[0].shape == (1, 100, HEADS, VALUE)


def test_wrong_shapes_are_named() -> None:
    x = {n: t.detach() for n, t in inputs(10, False, torch.float32).items()}
    q, k, v, beta = (x[n] for n in ("q", "k", "v", "beta"))
    with pytest.raises(UserError, match=r"beta has shape \(2, 10, 2, 1\); expected \(2, 10, 2\)"):
        chunk_delta_rule(q, k, v, beta[..., None])
    with pytest.raises(UserError, match="k has shape"):
        chunk_delta_rule(q, k[:, :9], v, beta)
    with pytest.raises(UserError, match="the log decay has shape"):
        chunk_gla(q, k, v, v)
    with pytest.raises(UserError, match="v has 3 heads; expected a multiple of q's 2"):
        chunk_delta_rule(q, k, v[:, :, [0, 1, 1]], beta)
    with pytest.raises(UserError, match="batch size is 2"):
        chunk_delta_rule(q, k, v, beta, cu_seqlens=torch.tensor([0, 10]))
    with pytest.raises(UserError, match="head_first was removed"):
        chunk_delta_rule(q, k, v, beta, head_first=False)
