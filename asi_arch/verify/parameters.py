"""How many parameters does the mixer have, and can the MLP make room for them?"""

from asi_arch.records import Finding
from asi_arch.train.sizes import match_width, model_size
from asi_arch.verify.subject import State, Subject


def check(subject: Subject) -> Finding:
    """Count at the stage's size and match the total by the width of the MLP."""
    settings = subject.settings
    hidden_size = settings.stage_hidden_size or settings.hidden_size
    num_heads = settings.stage_num_heads or settings.num_heads
    module = subject.under(State(size=(hidden_size, num_heads))).build()
    mixer = sum(parameter.numel() for parameter in module.parameters())
    if settings.parameters is None:
        return Finding(check="parameters", passed=True, measured={"mixer": mixer})
    backbone = (hidden_size, settings.num_layers, settings.vocab_size)
    size = match_width(mixer, *backbone, settings.parameters, settings.tied)
    if size is not None:
        measured = {
            "mixer": mixer,
            "total": size.total,
            "non_embedding": size.non_embedding,
            "mlp_width": size.width,
        }
        return Finding(check="parameters", passed=True, measured=measured)
    smallest = model_size(mixer, *backbone, 1, settings.tied)
    return Finding(
        check="parameters",
        passed=False,
        measured={"mixer": mixer, "smallest_total": smallest.total, "target": settings.parameters},
        evidence=_evidence(mixer, smallest.total, settings.parameters),
        hint=_hint(mixer, smallest.total - settings.parameters, settings.num_layers),
    )


def _evidence(mixer: int, smallest: int, target: int) -> str:
    return (
        f"with a mixer of {mixer:,} parameters a layer, the smallest model has {smallest:,} "
        f"parameters; none comes within 1 % of {target:,}"
    )


def _hint(mixer: int, excess: int, num_layers: int) -> str:
    allowed = mixer - -(-max(excess, 0) // num_layers)
    return (
        f"Bring the mixer to at most {max(allowed, 0):,} parameters: fewer or smaller projections, "
        "gates of low rank, or depthwise instead of full convolutions."
    )
