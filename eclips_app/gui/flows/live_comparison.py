"""A neural network's images beside those of the exact model: both without noise, computed by the engine when wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from numpy.typing import NDArray

from eclips_app.gui.flows.live_images import Frame, Wish
from eclips_app.gui.flows.simulation import Terrain, with_slope
from eclips_app.gui.jobs_qt import QtJobs
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.widgets.background import Background
from eclips_app.jobs.job import Done, Event, Failed, Job, Lost

EXACT = "bsesm"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Images [k, row, col] of both models, and where the network is out of its depth [row, col]."""

    wish: Wish
    terrain: Terrain
    network: NDArray[Any]
    exact: NDArray[Any]
    outside: NDArray[Any] | None


class LiveComparison(QtCore.QObject):
    """Renders the newest full picture again by both models."""

    changed = Signal()  #: `comparison`, `problem` or `is_busy` is new

    def __init__(self, jobs: QtJobs, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.comparison: Comparison | None = None
        self.problem = ""
        self._frame: Frame | None = None
        self._running: list[Job] = []
        self._arrays: dict[str, Mapping[str, NDArray[Any]]] = {}
        self._background = Background(self)

    @property
    def is_busy(self) -> bool:
        """Whether a comparison is on its way."""
        return bool(self._running) or self._background.is_busy

    def ask(self, frame: Frame) -> None:
        """Compare for a full picture of a network, unless that is done or on its way."""
        if self._frame is not None and frame.wish.looks_like(self._frame.wish):
            return
        self.stop()
        self._frame, self.problem = frame, ""
        terrain = frame.terrain
        work = partial(with_slope, terrain.height, terrain.pixel_size_nm, frame.wish.setup.slope_deg)
        self._background.run(work, partial(self._submit, frame))
        self.changed.emit()

    def stop(self) -> None:
        """Give up what is on its way; a finished comparison stays."""
        if self.is_busy:
            self._frame = None
        self._background.drop()
        for job in self._running:
            job.cancel()
        self._running, self._arrays = [], {}

    def _submit(self, frame: Frame, height: NDArray[Any]) -> None:
        if frame is not self._frame:
            return
        network = replace(frame.params, dose=None, grey_per_electron=1.0)
        for params in (network, replace(network, model=EXACT, weights="")):
            hear = partial(self._hear, frame, params.model)
            key = f"simulate-{'exact' if params.model == EXACT else 'network'}"
            self._running.append(self._jobs.submit("simulate", params, {"height": height}, hear=hear, key=key))

    def _hear(self, frame: Frame, model: str, event: Event) -> None:
        if frame is not self._frame or event.job not in self._running or not event.is_last:
            return
        self._running.remove(event.job)
        if isinstance(event, Done):
            self._arrays[model] = event.result.arrays
            if len(self._arrays) == 2:
                self._finish(frame)
        elif isinstance(event, Failed | Lost):
            self.problem = str(event.error)
        self.changed.emit()

    def _finish(self, frame: Frame) -> None:
        model = frame.params.model
        ours, exact = self._arrays[model], self._arrays[EXACT]
        self.comparison = Comparison(
            frame.wish, frame.terrain, ours["segments"], exact["segments"], ours.get("outside")
        )
        self._arrays = {}
