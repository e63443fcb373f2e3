"""Does the program keep its hands off everything outside itself?"""

import ast
from collections.abc import Iterator, Sequence

import torch

from asi_arch.records import Finding
from asi_arch.train.layer import ContractError, candidate_code
from asi_arch.verify.subject import State, Subject
from asi_arch.verify.watch import look, watch

LENGTH = 65
SHOWN = 3
HINT = (
    "A layer computes its output from its input and parameters. Replace no function outside it, "
    "change no setting of torch or Python, and leave files, network, processes, the environment, "
    "the clock and the seeds of random generators alone."
)


def check(subject: Subject) -> Finding:
    """Watch a training step, and look at what was seen while the program was imported."""
    try:
        with watch() as seen:
            _take_a_step(subject)
    except ContractError:
        pass  # other checks say what is wrong with the step; here counts what was seen until then
    return finding([*subject.effects, *_imports(subject.source), *seen])


def finding(seen: Sequence[str]) -> Finding:
    """Return what is to be said about what was seen."""
    effects = list(dict.fromkeys(seen))
    return Finding(
        check="interference",
        passed=not effects,
        measured={"effects": len(effects)},
        evidence="; ".join(f"the program {effect}" for effect in effects[:SHOWN]),
        hint=HINT if effects else "",
    )


def _imports(source: str) -> Iterator[str]:
    """Yield what a program imports of ours: it may lean on torch, einops, triton and fla only."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name.partition(".")[0] == "asi_arch":
                yield f"imports {name}"


def _take_a_step(subject: Subject) -> None:
    """Train and evaluate, and look between: one call may replace what the next puts back."""
    module = subject.build(State(train=True))
    output = subject.forward(module, subject.inputs(2, LENGTH))
    look()
    subject.backward(output.sum())
    look()
    with candidate_code("an optimiser step", subject.layer.__module__):
        torch.optim.SGD(module.parameters(), lr=1e-3).step()
    subject.run(module.eval(), subject.inputs(1, LENGTH))
