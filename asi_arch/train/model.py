"""The backbone every candidate and baseline is measured in: only the token mixer differs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asi_arch.config import Probe, Stage
from asi_arch.errors import AsiArchError
from asi_arch.train.layer import build_layer, call_layer, load_layer
from asi_arch.train.sizes import TOLERANCE, ModelSize, match_width


class SizeError(AsiArchError):
    """The parameters of a stage cannot be matched; the run is stored as failed."""


class SwiGLU(nn.Module):
    """Gated MLP (arXiv 2002.05202); its width is what evens out the parameter counts."""

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

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, length, hidden_size] to the same shape."""
        x = x + call_layer(self.mixer, self.mixer_norm(x))
        return x + torch.as_tensor(self.mlp(self.mlp_norm(x)))


class LanguageModel(nn.Module):
    """Decoder over blocks with the given layer as token mixer; its head may be the embedding."""

    def __init__(
        self,
        layer: type[nn.Module],
        *,
        vocab_size: int,
        hidden_size: int,
        num_layers: int,
        num_heads: int,
        mlp_width: int,
        tied: bool = True,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(
            Block(build_layer(layer, hidden_size, num_heads, index), hidden_size, mlp_width)
            for index in range(num_layers)
        )
        self.norm = nn.RMSNorm(hidden_size, eps=1e-6)
        if not tied:
            self.head = nn.Linear(hidden_size, vocab_size, bias=False)
            nn.init.normal_(self.head.weight, std=0.02)

    @property
    def head_weight(self) -> Tensor:
        """What turns hidden states into logits, [vocab_size, hidden_size]."""
        return self.head.weight if hasattr(self, "head") else self.embedding.weight

    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids [batch, length] to what the head reads [batch, length, hidden_size]."""
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.norm(x))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map token ids [batch, length] to logits [batch, length, vocab_size]."""
        return F.linear(self.hidden(tokens), self.head_weight)


def build_model(
    program: str, stage: Stage | Probe, vocab_size: int
) -> tuple[LanguageModel, ModelSize]:
    """Return the model of `stage` with the program's layer, at the stage's parameter count.

    Raises:
        ContractError: the program has no usable layer.
        SizeError: no MLP width brings the total within 1 % of the stage's parameters.
    """
    layer = load_layer(program)
    size = match_width(
        mixer_parameters(layer, stage),
        stage.hidden_size,
        stage.num_layers,
        vocab_size,
        stage.parameters,
        is_tied(stage),
    )
    if size is None:
        raise SizeError(f"no MLP width brings the model within 1 % of {stage.parameters}")
    model = LanguageModel(
        layer,
        vocab_size=vocab_size,
        hidden_size=stage.hidden_size,
        num_layers=stage.num_layers,
        num_heads=stage.num_heads,
        mlp_width=size.width,
        tied=is_tied(stage),
    )
    total = sum(parameter.numel() for parameter in model.parameters())
    if abs(total - stage.parameters) > TOLERANCE * stage.parameters:
        raise SizeError(f"the model has {total} parameters, not {stage.parameters} within 1 %")
    return model.to(device()), size


def is_tied(stage: Stage | Probe) -> bool:
    """Whether the embedding is the head as well; it always is at `probe`."""
    return not isinstance(stage, Stage) or stage.tied


def mixer_parameters(layer: type[nn.Module], stage: Stage | Probe) -> int:
    """Count the parameters of one mixer at the width of `stage`."""
    with torch.random.fork_rng():
        mixer = build_layer(layer, stage.hidden_size, stage.num_heads)
    return sum(parameter.numel() for parameter in mixer.parameters())


def device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
