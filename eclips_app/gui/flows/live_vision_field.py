"""How far away the shown surface can still hide the detector, computed by the engine once nothing else is to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.steps import EstimateVisionField
from eclips_app.gui.flows.simulation import Terrain, with_slope
from eclips_app.gui.jobs_qt import QtJobs
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.widgets.background import Background
from eclips_app.jobs.job import Done, Event, Failed, Job, Lost

_REST_MS = 200  #: so long nothing else may have been asked for
DELTA_OUT = 0.01  #: accepted chance of being hidden by something beyond the statistical radius


@dataclass(frozen=True)
class Scene:
    """What the Vision Field depends on: a surface with an added slope, and the detector."""

    terrain: Terrain
    slope_deg: tuple[float, float]
    detector: Detector


@dataclass(frozen=True, eq=False)
class VisionField:
    """Numbers of the step ``vision-field`` for a scene; `problem` says why there are none."""

    scene: Scene
    info: Mapping[str, Any]
    problem: str = ""


class LiveVisionField(QtCore.QObject):
    """Computes the Vision Field of the newest scene; it gives way to whatever else the engine has to do."""

    changed = Signal()  #: `field` or `is_current` is new

    def __init__(self, jobs: QtJobs, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.field: VisionField | None = None
        self._scene: Scene | None = None
        self._job: Job | None = None
        self._background = Background(self)
        self._rest = QtCore.QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._begin)

    @property
    def is_current(self) -> bool:
        """Whether `field` is that of the newest scene."""
        return self.field is not None and self.field.scene == self._scene

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is on its way."""
        return not (self._job or self._rest.isActive() or self._background.is_busy)

    def ask(self, scene: Scene) -> None:
        """Compute this one, as soon as there is nothing else to do."""
        if scene != self._scene:
            self._drop()
            self._scene = scene
            if not self.is_current:
                self._rest.start()
            self.changed.emit()

    def postpone(self) -> None:
        """Let something more urgent go first."""
        if not self.is_settled:
            self._drop()
            self._rest.start()

    def stop(self) -> None:
        """Forget the scene: another one is coming."""
        self._drop()
        if self._scene is not None:
            self._scene = None
            self.changed.emit()

    def _drop(self) -> None:
        self._rest.stop()
        self._background.drop()
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def _begin(self) -> None:
        if self._scene is not None:
            terrain = self._scene.terrain
            work = partial(with_slope, terrain.height, terrain.pixel_size_nm, self._scene.slope_deg)
            self._background.run(work, partial(self._submit, self._scene))

    def _submit(self, scene: Scene, height: NDArray[Any]) -> None:
        params = EstimateVisionField(scene.detector, scene.terrain.pixel_size_nm, DELTA_OUT)
        hear, inputs = self._hear, {"height": height}
        self._job = self._jobs.submit("vision-field", params, inputs, hear=hear, key="vision-field", priority="batch")

    def _hear(self, event: Event) -> None:
        if event.job is not self._job or self._scene is None or not event.is_last:
            return
        self._job = None
        if isinstance(event, Done):
            self.field = VisionField(self._scene, event.result.info)
        elif isinstance(event, Failed | Lost):
            self.field = VisionField(self._scene, {}, str(event.error))
        self.changed.emit()
