"""Parameter counts of the shared backbone, and the MLP width that matches a target."""

from dataclasses import dataclass

TOLERANCE = 0.01


@dataclass(frozen=True)
class ModelSize:
    """The size of a whole model; `non_embedding` leaves the (tied) embedding out."""

    width: int
    total: int
    non_embedding: int


def model_size(
    mixer: int, hidden_size: int, num_layers: int, vocab_size: int, width: int
) -> ModelSize:
    """Count the parameters of a model whose layers hold a mixer of `mixer` parameters.

    Tied embedding `vocab * d`; per layer two RMSNorms of `d`, a SwiGLU of `3 * d * width` and the
    mixer; a final RMSNorm of `d`.
    """
    layer = 2 * hidden_size + 3 * hidden_size * width + mixer
    non_embedding = num_layers * layer + hidden_size
    return ModelSize(width, vocab_size * hidden_size + non_embedding, non_embedding)


def match_width(
    mixer: int, hidden_size: int, num_layers: int, vocab_size: int, target: int
) -> ModelSize | None:
    """Return the size whose MLP width brings the total closest to `target`.

    None when no width of at least 1 comes within 1 % of it.
    """
    fixed = model_size(mixer, hidden_size, num_layers, vocab_size, 0).total
    width = max(1, round((target - fixed) / (3 * hidden_size * num_layers)))
    size = model_size(mixer, hidden_size, num_layers, vocab_size, width)
    return size if abs(size.total - target) <= TOLERANCE * target else None
