"""Parameter counts of the shared backbone, and the MLP width that matches a target."""

from dataclasses import dataclass

TOLERANCE = 0.01


@dataclass(frozen=True)
class ModelSize:
    """The size of a whole model; `non_embedding` leaves the embedding and an untied head out.

    `flops_per_token` is the work of a training step, forward and backward, in the matrices alone:
    six for each parameter that a token is multiplied with (arXiv 2001.08361), the head included.
    """

    width: int
    total: int
    non_embedding: int
    flops_per_token: int


def model_size(
    mixer: int, hidden_size: int, num_layers: int, vocab_size: int, width: int, tied: bool = True
) -> ModelSize:
    """Count the parameters of a model whose layers hold a mixer of `mixer` parameters.

    Embedding `vocab * d`, once more for a head that is not tied to it; per layer two RMSNorms of
    `d`, a SwiGLU of `3 * d * width` and the mixer; a final RMSNorm of `d`.
    """
    layer = 2 * hidden_size + 3 * hidden_size * width + mixer
    non_embedding = num_layers * layer + hidden_size
    head = vocab_size * hidden_size
    total = (1 if tied else 2) * head + non_embedding
    return ModelSize(width, total, non_embedding, 6 * (non_embedding + head))


def match_width(
    mixer: int, hidden_size: int, num_layers: int, vocab_size: int, target: int, tied: bool = True
) -> ModelSize | None:
    """Return the size whose MLP width brings the total closest to `target`.

    None when no width of at least 1 comes within 1 % of it.
    """
    fixed = model_size(mixer, hidden_size, num_layers, vocab_size, 0, tied).total
    width = max(1, round((target - fixed) / (3 * hidden_size * num_layers)))
    size = model_size(mixer, hidden_size, num_layers, vocab_size, width, tied)
    return size if abs(size.total - target) <= TOLERANCE * target else None
