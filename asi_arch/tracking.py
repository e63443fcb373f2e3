"""Show the curves of a campaign in TensorBoard or W&B while it runs, beside the database."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from asi_arch.config import Tracking
from asi_arch.errors import MissingExtra
from asi_arch.interfaces import Watcher
from asi_arch.records import Campaign, Experiment, MetricPoint


@contextmanager
def tracked(watcher: Watcher, tracking: Tracking, campaign: Campaign) -> Iterator[Watcher]:
    """Give a watcher that also sends every curve where `tracking` says.

    Raises:
        MissingExtra: the package for it is not installed.
    """
    if tracking == "none":
        yield watcher
        return
    with ExitStack() as opened:
        yield _Tracked(watcher, _CURVES[tracking], campaign, opened)


class _Tracked:
    """Passes on what a watcher is told, and draws what it is told of progress."""

    def __init__(self, watcher: Watcher, kind: Any, campaign: Campaign, opened: ExitStack) -> None:
        self._watcher = watcher
        self._kind = kind
        self._campaign = campaign
        self._opened = opened
        self._curves: dict[str, _TensorBoardCurve | _WandbCurve] = {}
        self.on_message = watcher.on_message
        self.on_phase = watcher.on_phase
        self.on_finished = watcher.on_finished

    def on_progress(
        self,
        experiment: Experiment,
        stage: str,
        seed: int,
        point: MetricPoint,
        reference: float | None,
    ) -> None:
        """Add a point to the curve of the training."""
        name = f"{experiment.id:05d}-{experiment.name}-{stage}-{seed}"
        if name not in self._curves:
            self._curves[name] = self._kind(self._campaign, name)
            self._opened.callback(self._curves[name].close)
        self._curves[name].add(point, reference)
        self._watcher.on_progress(experiment, stage, seed, point, reference)


class _TensorBoardCurve:
    """Event files in the folder of the campaign."""

    def __init__(self, campaign: Campaign, name: str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtra("tensorboard", "tensorboard") from error
        folder = Path(campaign.folder) / "tensorboard" / name
        self._writer: Any = SummaryWriter(str(folder))

    def add(self, point: MetricPoint, reference: float | None) -> None:
        """Write the training loss, and how far it is from the baseline's."""
        for key, value in _values(point, reference).items():
            self._writer.add_scalar(key, value, point.tokens)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class _WandbCurve:
    """A run on W&B, in a group named like the campaign; its own settings say which account."""

    def __init__(self, campaign: Campaign, name: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtra("wandb", "wandb") from error
        group = f"{campaign.name}-{campaign.id}"
        self._run: Any = wandb.init(
            project="asi-arch", group=group, name=name, dir=campaign.folder, reinit="create_new"
        )

    def add(self, point: MetricPoint, reference: float | None) -> None:
        """Log the training loss, and how far it is from the baseline's."""
        self._run.log({**_values(point, reference), "tokens": point.tokens}, step=point.step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


_CURVES = {"tensorboard": _TensorBoardCurve, "wandb": _WandbCurve}


def _values(point: MetricPoint, reference: float | None) -> dict[str, float]:
    values = {"loss": point.loss}
    return values if reference is None else {**values, "to baseline": point.loss - reference}
