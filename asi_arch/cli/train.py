"""`asi-arch train`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from asi_arch.cli.alone import (
    TrainedElsewhere,
    measure_alone,
    prepare_alone,
    read_program,
    read_training,
    temporary_runner,
    train_alone,
    verify_alone,
)
from asi_arch.cli.board import steps_of
from asi_arch.cli.options import (
    ConfigFile,
    DataFolder,
    Debug,
    Gpus,
    Json,
    Preset,
    Sandbox,
    Settings,
    complete_stages,
    with_data,
    with_sandbox,
)
from asi_arch.cli.output import count, err, number, out, print_json, with_error
from asi_arch.cli.results import marks_line
from asi_arch.cli.signals import run_until_signal
from asi_arch.cli.spark import sparklines
from asi_arch.cli.verify import ProgramFile, print_findings
from asi_arch.config import Config
from asi_arch.configure import load_config
from asi_arch.records import Audit, Dataset, Finding, Measurement, MetricPoint

StageName = Literal["probe", "explore", "confirm", "final"]


class _Work(NamedTuple):
    """What is to be done; `elsewhere` is a training that was done without the sandbox."""

    config: Config
    program: str
    stage: str
    seed: int
    check: bool
    elsewhere: TrainedElsewhere | None


class _Outcome(NamedTuple):
    """What came out; without a measurement when a check failed, without data at `probe`."""

    findings: list[Finding] | None
    dataset: Dataset | None = None
    measurement: Measurement | None = None


def train(
    file: ProgramFile,
    stage: Annotated[
        StageName, typer.Option(help="Where to train.", autocompletion=complete_stages)
    ],
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="Default: the stage's first.")
    ] = None,
    trained: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Measure what python -m asi_arch.train left there; do not train."
        ),
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Train without checking the program first.")
    ] = False,
    preset: Preset = "demo",
    config: ConfigFile = None,
    set_: Settings = None,
    data: DataFolder = None,
    gpus: Gpus = None,
    sandbox: Sandbox = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Verify one program, train it and measure it.

    Nothing is written to a database.

    Exit code 0: measured; 1: a check or the training failed; 2: it could not be tried.

    Example: asi-arch train my_layer.py --stage explore --seed 1
    """
    wanted = [
        *with_sandbox(with_data(set_, data), sandbox),
        *([] if gpus is None else [f"jobs.gpus={gpus}"]),
    ]
    settings, program = load_config(preset, config, wanted).settled(), read_program(file)
    first = getattr(settings, stage).seeds[0] if seed is None else seed
    elsewhere = None if trained is None else read_training(trained, stage)
    with Progress(console=err(), transient=True, disable=not sys.stderr.isatty()) as progress:
        job = _Work(settings, program, stage, first, not no_verify, elsewhere)
        outcome = run_until_signal(_train(job, progress))
    if json:
        print_json(_document(file, outcome))
    else:
        _print(outcome, out())
    if outcome.measurement is None:
        raise typer.Exit(1)


async def _train(work: _Work, progress: Progress) -> _Outcome:
    config, stage = work.config, work.stage
    task = progress.add_task("verify" if work.check else "prepare", total=None)
    async with temporary_runner(config.sandbox, config.jobs.gpus) as runner:
        findings = await verify_alone(runner, config, work.program) if work.check else None
        if findings and not all(finding.passed for finding in findings):
            return _Outcome(findings)
        progress.update(task, description="prepare data")
        dataset = None if stage == "probe" else await prepare_alone(runner, config)
        if work.elsewhere is not None:
            progress.update(task, description="measure")
            measurement = await measure_alone(runner, config, work.program, work.elsewhere)
            return _Outcome(findings, dataset, measurement)
        total = steps_of(config, stage)
        progress.update(task, description=f"{stage} seed {work.seed}", total=total)
        advance = _advance(progress, task)
        measurement = await train_alone(runner, config, work.program, stage, work.seed, advance)
        return _Outcome(findings, dataset, measurement)


def _advance(progress: Progress, task: Any) -> Callable[[MetricPoint], None]:
    def advance(point: MetricPoint) -> None:
        text = f"loss {point.loss:.3f}"
        progress.update(task, completed=point.step, description=text)

    return advance


def _print(outcome: _Outcome, console: Console) -> None:
    if outcome.measurement is None:
        print_findings(outcome.findings or [], console)
        return
    console.print(_measurement_table(outcome.measurement))
    if outcome.dataset is not None:
        (line,) = sparklines([outcome.measurement.curve])
        console.print(Text(f"training loss  {line}"))
        console.print(marks_line(outcome.dataset.references))


def _measurement_table(got: Measurement) -> Table:
    rows = [
        ("stage", f"{got.stage} seed {got.seed}"),
        *((f"{s.benchmark} {s.metric}", with_error(s.value, s.error, 3)) for s in got.scores),
        ("parameters", f"{count(got.parameters)}, {count(got.non_embedding)} without embeddings"),
        ("MLP width", count(got.mlp_width)),
        ("tokens", count(got.tokens)),
        ("learning rate", _learning_rate(got)),
        ("tokens/s", count(got.tokens_per_second)),
        ("work", f"{got.flops_per_token / 1e6:.3g} MFLOP a token, {_speed(got)} TFLOP/s"),
        ("device", f"{got.device}, {got.micro_batch} sequences at once, compiled: {got.compiled}"),
        ("seconds", number(got.seconds, 1)),
        ("peak memory", f"{count(got.memory_bytes / 2**20)} MiB"),
    ]
    if got.shares:
        parts = ", ".join(f"{name} {share:.1%}" for name, share in got.shares.items())
        rows.append(("of a step", parts))
    if got.loss is not None and got.stage != "probe":
        rows.insert(1, ("held-out loss", f"{with_error(got.loss, got.loss_error)} nats per token"))
    if got.audit is not None:
        rows += audit_rows(got.audit)
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(name, value)
    return grid


def _learning_rate(got: Measurement) -> str:
    tried = ", ".join(f"{rate}: {number(loss)}" for rate, loss in got.sweep.items())
    return f"{got.learning_rate:g}" + (f" of {tried}" if tried else "")


def _speed(got: Measurement) -> str:
    return f"{got.flops_per_token * got.tokens_per_second / 1e12:.3g}"


def audit_rows(audit: Audit) -> list[tuple[str, str]]:
    """Return what an audit found, as names and values."""
    return [
        ("reported loss", f"{number(audit.reported)}, recomputed {number(audit.recomputed)}"),
        (
            "prefix audit",
            f"{audit.positions} positions, hidden states moved by {audit.largest_change:.1g}, "
            f"loss by {number(audit.prefix_gain, sign=True)} ± {number(audit.prefix_error)}",
        ),
    ]


def _document(file: Path, outcome: _Outcome) -> dict[str, Any]:
    return {
        "file": str(file),
        "findings": outcome.findings,
        "measurement": outcome.measurement,
        "references": outcome.dataset.references if outcome.dataset else {},
    }
