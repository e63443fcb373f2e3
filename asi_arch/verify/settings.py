"""What the checks run on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VerifySettings:
    """Sizes, lengths and seed of a verification, and the model size a candidate must fit.

    Everything runs at `hidden_size` and `num_heads`. The size check counts at the sizes of the
    stage the candidate is to train at, `stage_hidden_size` and `stage_num_heads`, where given.
    """

    hidden_size: int = 64
    num_heads: int = 2
    other_sizes: tuple[tuple[int, int], ...] = ((32, 1), (96, 3))
    lengths: tuple[int, ...] = (1, 7, 64, 100, 257)
    more_lengths: tuple[int, ...] = (2, 63, 65, 512)
    """Lengths that only the contract and the training check run as well."""
    batch_sizes: tuple[int, ...] = (1, 2, 5)
    seed: int = 0
    stage_hidden_size: int | None = None
    stage_num_heads: int | None = None
    num_layers: int = 2
    vocab_size: int = 256
    tied: bool = True
    parameters: int | None = None
    """Total the whole model must come to; None only counts."""
    max_exponent: float = 1.2
    """Largest power of the length that work and memory may grow with."""
    max_slowdown: float = 3.0
    """Largest CPU time of a training step, as a multiple of gated DeltaNet's."""
    max_memory_ratio: float = 3.0
    """Largest memory of a training step, as a multiple of gated DeltaNet's."""
    require_deployable: bool = False
    """Whether a layer that cannot be served is rejected."""
    known: tuple[tuple[str, str, str], ...] = ()
    """Name, fingerprint and signature of programs that the candidate must differ from."""
    only: tuple[str, ...] = ()
    """Names of the checks to run; empty means all."""


DEFAULTS = VerifySettings()
