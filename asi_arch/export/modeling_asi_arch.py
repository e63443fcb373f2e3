"""A model found by asi-arch, for `transformers`; it stands alone but for torch and the layer's fla.

The layer is generated code: read `program.py`, whose text the configuration carries, before it is
run. Without a GPU, fla's kernels need asi-arch's stand-ins (pip install asi-arch).
"""

import inspect
import linecache
import sys
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class AsiArchConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes of the backbone, and the layer as the text of a program and the name of its class."""

    model_type = "asi_arch"

    def __init__(
        self,
        program: str = "",
        layer_class: str = "",
        vocab_size: int = 256,
        hidden_size: int = 64,
        num_hidden_layers: int = 2,
        num_attention_heads: int = 2,
        intermediate_size: int = 64,
        tied_head: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        self.program = program
        self.layer_class = layer_class
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.tied_head = tied_head
        self.seed = seed
        kwargs.setdefault("use_cache", False)
        kwargs["tie_word_embeddings"] = False  # a tied head is the embedding itself
        super().__init__(**kwargs)


class SwiGLU(nn.Module):
    """Gated MLP."""

    def __init__(self, hidden_size: int, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(hidden_size, 2 * width, bias=False)
        self.down = nn.Linear(width, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., hidden_size] to the same shape."""
        gate, value = self.up(x).chunk(2, dim=-1)
        return torch.as_tensor(self.down(F.silu(gate) * value))


class Block(nn.Module):
    """Pre-norm residual block: token mixer, then MLP."""

    def __init__(self, mixer: nn.Module, hidden_size: int, width: int) -> None:
        super().__init__()
        self.mixer_norm = nn.RMSNorm(hidden_size, eps=1e-6)
        self.mixer = mixer
        self.mlp_norm = nn.RMSNorm(hidden_size, eps=1e-6)
        self.mlp = SwiGLU(hidden_size, width)

    def forward(self, x: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Map [batch, length, hidden_size] to the same shape."""
        masked = {} if attention_mask is None else {"attention_mask": attention_mask}
        mixed = self.mixer(self.mixer_norm(x), **masked)
        x = x + (mixed[0] if isinstance(mixed, tuple | list) else mixed)
        return x + torch.as_tensor(self.mlp(self.mlp_norm(x)))


class AsiArchForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """The decoder that the weights were trained in."""

    config_class = AsiArchConfig
    _no_split_modules = ["Block"]

    def __init__(self, config: AsiArchConfig) -> None:
        super().__init__(config)
        layer, width, heads = load_layer(config), config.hidden_size, config.num_attention_heads
        # Layers may compute or draw constants that no file holds: as in training, on the CPU.
        with torch.random.fork_rng(), torch.device("cpu"):
            torch.manual_seed(config.seed)
            self.embedding = nn.Embedding(config.vocab_size, width)
            nn.init.normal_(self.embedding.weight, std=0.02)
            self.blocks = nn.ModuleList(
                Block(build_layer(layer, width, heads, index), width, config.intermediate_size)
                for index in range(config.num_hidden_layers)
            )
            self.norm = nn.RMSNorm(width, eps=1e-6)
            if not config.tied_head:
                self.head = nn.Linear(width, config.vocab_size, bias=False)
            keep_constants(self)
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Give buffers that are in no file back what they were built with."""
        for name, value in getattr(module, CONSTANTS, {}).items():
            module.get_buffer(name).copy_(value)

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding."""
        return self.embedding

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutput:
        """Return logits [batch, length, vocab_size], and the loss if there are labels."""
        masked = attention_mask is not None and not bool(attention_mask.all())
        x = self.embedding(input_ids)
        for block in self.blocks:
            x = block(x, attention_mask if masked else None)
        head = self.embedding.weight if self.config.tied_head else self.head.weight
        logits = F.linear(self.norm(x), head)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return CausalLMOutput(loss=loss, logits=logits)

    def prepare_inputs_for_generation(  # type: ignore[override]
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Give the whole text at every step: there is no cache."""
        return {"input_ids": input_ids, "attention_mask": attention_mask}


CONSTANTS = "_constants_of_asi_arch"


def keep_constants(model: nn.Module) -> None:
    """Note what buffers that are in no file hold: transformers empties them when it loads."""
    for module in model.modules():
        left_out = module._non_persistent_buffers_set & module._buffers.keys()
        kept = {name: module.get_buffer(name).clone() for name in left_out}
        module.__dict__[CONSTANTS] = kept


def load_layer(config: AsiArchConfig) -> type[nn.Module]:
    """Execute the program of the layer and return its class."""
    if not torch.cuda.is_available():
        serve_stand_ins()
    name = f"asi_arch_layer_{abs(hash(config.program))}"
    if name not in sys.modules:
        module = ModuleType(name)
        module.__file__ = f"<{name}>"
        lines = config.program.splitlines(keepends=True)
        linecache.cache[module.__file__] = (len(config.program), None, lines, module.__file__)
        sys.modules[name] = module
        exec(compile(config.program, module.__file__, "exec"), module.__dict__)
    layer: type[nn.Module] = getattr(sys.modules[name], config.layer_class)
    return layer


def serve_stand_ins() -> None:
    """Let PyTorch code stand in for fla's kernels, which need a GPU."""
    try:
        from asi_arch.train.kernels import install
    except ImportError as error:
        raise ImportError(
            "without a GPU this model needs the kernels of asi-arch; run: pip install asi-arch"
        ) from error
    install()


def build_layer(
    layer: type[nn.Module], hidden_size: int, num_heads: int, layer_idx: int
) -> nn.Module:
    """Construct the layer with those of the known names that it takes."""
    parameters = inspect.signature(layer.__init__).parameters.values()
    named = {p.name for p in parameters}
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    given: dict[str, int] = {n: hidden_size for n in ("hidden_size", "d_model") if n in named}
    given |= {n: num_heads for n in ("num_heads", "n_heads") if n in named}
    if takes_any and not named & {"num_heads", "n_heads"}:
        given["num_heads"] = num_heads
    if "layer_idx" in named or takes_any:
        given["layer_idx"] = layer_idx
    return layer(**given)
