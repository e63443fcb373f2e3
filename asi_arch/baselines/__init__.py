"""Known architectures as candidate programs: read as text and run in jobs like any other."""

from pathlib import Path

from asi_arch.baselines._fla import layer_program
from asi_arch.errors import UserError
from asi_arch.records import Program

FLA = "fla:"
_FOLDER = Path(__file__).parent


def baseline_names() -> list[str]:
    """Names of the shipped baselines."""
    return sorted(path.stem for path in _FOLDER.glob("*.py") if not path.stem.startswith("_"))


def baseline_program(name: str) -> Program:
    """Return the program of a baseline, or with `fla:` before its name of any layer of fla.

    Raises:
        UserError: there is none of that name.
    """
    if name.startswith(FLA):
        return Program(source=layer_program(name.removeprefix(FLA)))
    if name not in baseline_names():
        raise UserError(
            f"unknown baseline {name!r}; choose from: {', '.join(baseline_names())}, or a layer of "
            "fla as in fla:GatedSlotAttention"
        )
    return Program(source=(_FOLDER / f"{name}.py").read_text())
