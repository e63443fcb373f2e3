"""Show a running campaign: live on a terminal, as log lines elsewhere; both on standard error."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from asi_arch.cli.board import Board, Line, describe_end, title
from asi_arch.cli.output import NONE, Column, err, number, signed, table
from asi_arch.records import Experiment, MetricPoint


class LogLines:
    """Prints one line for each phase and each end."""

    def __init__(self, board: Board, console: Console) -> None:
        self.board = board
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind."""

    def on_message(self, text: str) -> None:
        """Print what the campaign says."""
        self._print(text)

    def on_phase(self, experiment: Experiment, phase: str) -> None:
        """Print the phase unless it is the one before."""
        if self.board.phase(experiment, phase):
            self._print(f"{title(experiment)}: {phase}")

    def on_progress(
        self,
        experiment: Experiment,
        stage: str,
        seed: int,
        point: MetricPoint,
        reference: float | None,
    ) -> None:
        """Keep count; steps are not printed."""
        self.board.progress(experiment, stage, seed, point, reference)

    def on_finished(self, experiment: Experiment) -> None:
        """Print how the experiment ended and how far the campaign is."""
        self.board.finish(experiment)
        self._print(f"{title(experiment)}: {describe_end(experiment)} [{self.board.summary()}]")

    def _print(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {text}"
        self._console.print(line, markup=False, soft_wrap=True)


class LiveView:
    """Keeps a table of the running experiments at the bottom of the terminal."""

    def __init__(self, board: Board, console: Console) -> None:
        self.board = board
        self._console = console
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def on_message(self, text: str) -> None:
        """Print what the campaign says above the table."""
        self._console.print(Text(text))

    def on_phase(self, experiment: Experiment, phase: str) -> None:
        """Change the line of the experiment."""
        self.board.phase(experiment, phase)

    def on_progress(
        self,
        experiment: Experiment,
        stage: str,
        seed: int,
        point: MetricPoint,
        reference: float | None,
    ) -> None:
        """Change the numbers of the experiment."""
        self.board.progress(experiment, stage, seed, point, reference)

    def on_finished(self, experiment: Experiment) -> None:
        """Take the line away and print how the experiment ended above the table."""
        self.board.finish(experiment)
        self._console.print(Text(f"{title(experiment)}: {describe_end(experiment)}"))

    def _render(self) -> Group:
        lines = list(self.board.lines.values())
        return Group(lines_table(lines, self._console.width), Text(self.board.summary(), "bold"))


def lines_table(lines: list[Line], width: int) -> Padding:
    """Return the running experiments, one line each."""
    columns = [
        Column[Line]("id", lambda line: str(line.experiment.id)),
        Column[Line]("name", lambda line: line.experiment.name or NONE, left=True),
        Column[Line]("phase", lambda line: line.phase, 1, left=True),
        Column[Line]("step", _step, 2),
        Column[Line]("loss", lambda line: number(line.loss)),
        Column[Line]("to baseline", lambda line: signed(line.difference, good=-1)),
    ]
    return table(columns, lines, width)


def _step(line: Line) -> str:
    return NONE if line.step is None else f"{line.step}/{line.total}"


def make_watcher(board: Board) -> LogLines | LiveView:
    """Return the view that suits standard error."""
    console = err()
    if sys.stderr.isatty() and not console.is_dumb_terminal:
        return LiveView(board, console)
    return LogLines(board, console)
