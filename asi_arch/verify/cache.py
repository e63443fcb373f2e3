"""Decode with a layer's cache, as a server would."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from asi_arch.train.layer import ContractError, candidate_code
from asi_arch.verify.chance import seed_all
from asi_arch.verify.subject import Subject


class Cache:
    """What layers of fla keep their state in: one mapping for each layer, filled by `update`."""

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []
        self.seen = 0

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, layer_idx: int) -> dict[str, Any]:
        return self.states[layer_idx]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of tokens seen."""
        return self.seen if len(self.states) > layer_idx else 0

    def update(
        self,
        recurrent_state: Any = None,
        attn_state: Any = None,
        conv_state: Any = None,
        ffn_state: Any = None,
        layer_idx: int = 0,
        offset: int | None = 1,
        cache_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Replace what is given, append keys and values, and return the layer's state."""
        names = ("recurrent_state", "attn_state", "conv_state", "ffn_state")
        while len(self.states) <= layer_idx:
            self.states.append(dict.fromkeys(names))
        state = self.states[layer_idx]
        window = (cache_kwargs or {}).get("window_size")
        if attn_state is not None:
            attn_state = _appended(state["attn_state"], attn_state, window)
        given = (recurrent_state, attn_state, conv_state, ffn_state)
        state.update({n: v for n, v in zip(names, given, strict=True) if v is not None})
        self.seen += offset or 1
        return state


def _appended(
    old: Sequence[Tensor] | None, new: Sequence[Tensor], window: int | None
) -> tuple[Tensor, ...]:
    parts = zip(old, new, strict=True) if old is not None else ((x,) for x in new)
    return tuple(torch.cat(tuple(part), 1)[:, -(window or 0) :] for part in parts)


@torch.no_grad()
def call(
    subject: Subject, module: nn.Module, inputs: Tensor, **keywords: Any
) -> tuple[Tensor, Any]:
    """Return the output and what the layer returns as its cache, None where it returns none."""
    seed_all(subject.settings.seed)
    names = ", ".join(keywords)
    with candidate_code(f"forward with {names}", subject.layer.__module__):
        returned = module(inputs, **keywords)
    if isinstance(returned, Tensor):
        return returned, None
    if not (isinstance(returned, tuple | list) and returned and isinstance(returned[0], Tensor)):
        raise ContractError(f"forward with {names} returned {type(returned).__name__}")
    return returned[0], returned[2] if len(returned) > 2 else None


def decode(subject: Subject, module: nn.Module, parts: Sequence[Tensor]) -> tuple[Tensor, Any]:
    """Feed the parts of a sequence one after the other; return all outputs and the last cache.

    A layer gets a cache like fla's; one that keeps nothing in it may make its own from None.

    Raises:
        ContractError: it keeps no state either way, or fails.
    """
    problem = ContractError("no state is returned as past_key_values with use_cache=True")
    for past in (Cache(), None):
        outputs = []
        try:
            for part in parts:
                out, past = call(subject, module, part, past_key_values=past, use_cache=True)
                outputs.append(out)
        except ContractError as error:
            problem = error
            continue
        if any(True for _ in held_tensors(past)):
            return torch.cat(outputs, 1), past
    raise problem


def state_bytes(subject: Subject, length: int) -> int | None:
    """Return the bytes that decoding needs after `length` tokens; None where nothing is kept."""
    module, inputs = subject.build(), subject.inputs(1, length)
    try:
        _, past = decode(subject, module, [inputs])
    except ContractError:
        return None
    sizes = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in held_tensors(past)}
    return sum(sizes.values())


def held_tensors(value: Any, depth: int = 6) -> Iterator[Tensor]:
    """Yield the tensors in nested containers and in the attributes of plain objects."""
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, Mapping):
        for item in value.values():
            yield from held_tensors(item, depth - 1)
    elif depth and isinstance(value, list | tuple | set):
        for item in value:
            yield from held_tensors(item, depth - 1)
    elif depth and hasattr(value, "__dict__") and not isinstance(value, type | nn.Module):
        yield from held_tensors(vars(value), depth - 1)
