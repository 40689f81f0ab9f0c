"""Simulated images that follow a slider: coarse pictures as fast as the engine gives them, the full one at rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import SURFACE_TITLES, Specimen
from eclips_app.core.steps import Simulate, StepResult, Visibility
from eclips_app.gui.flows.simulation import Setup, Terrain, binned, simulate_params, terrain_of, with_slope
from eclips_app.gui.jobs_qt import QtJobs
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.widgets.background import Background
from eclips_app.jobs.job import Done, Event, Failed, Job, Lost, Priority, Progress
from eclips_app.model.items import HeightMap, Run

_REST_MS = 250  #: without a new wish for so long, the full picture is rendered
_COARSE_PX = (64, 96, 128, 160, 192, 256)  #: longest edge of the pictures that follow a slider
_QUICK_S, _SLOW_S = 0.045, 0.09  #: after a picture quicker or slower than this the next one is finer or coarser

Source = Specimen | Run | HeightMap


@dataclass(frozen=True)
class Wish:
    """What is to be seen: the choices, the detector that they mean, what the surface is made of, and a pixel of it."""

    setup: Setup
    detector: Detector
    source: Source
    pixel: tuple[int, int] | None = None  #: row, column of the full surface

    def looks_like(self, other: Wish) -> bool:
        """Whether the images are the same; the pixel may differ."""
        return (self.setup, self.detector, self.source) == (other.setup, other.detector, other.source)


@dataclass(frozen=True, eq=False)
class Frame:
    """Rendered images [k, row, col]; each of their pixels is `factor` by `factor` of the surface's."""

    wish: Wish
    terrain: Terrain
    params: Simulate
    segments: NDArray[Any]
    factor: int
    is_full: bool
    info: Mapping[str, Any]
    seconds: float
    outside: NDArray[Any] | None = None  #: [row, col], True where a network has learnt from nothing like it


@dataclass(frozen=True, eq=False)
class Angles:
    """What one pixel sees: arrays and facts of the step ``visibility``."""

    wish: Wish
    arrays: Mapping[str, NDArray[Any]]
    info: Mapping[str, Any]


@dataclass
class _Pass:
    """One coarse picture on its way, and how many answers of the engine it still waits for."""

    wish: Wish
    began: float = field(default_factory=time.perf_counter)
    waiting: int = 0


class LiveImages(QtCore.QObject):
    """Renders the newest wish.

    At most one coarse picture is on its way, and of the wishes that come meanwhile only the newest is remembered: pictures
    keep coming however fast a slider moves. The full picture is given up as soon as there is another wish.
    """

    framed = Signal()  #: `frame` is new
    angled = Signal()  #: `angles` is new
    told = Signal()  #: `problem` or `progress` is new

    def __init__(self, jobs: QtJobs, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self.terrain: Terrain | None = None
        self.frame: Frame | None = None
        self.angles: Angles | None = None
        self.problem = ""
        self.progress: float | None = None  #: part done of the full picture; None while none is on its way
        self._wish: Wish | None = None
        self._pass: _Pass | None = None
        self._is_stale = False
        self._full: Job | None = None
        self._level = 2  # of _COARSE_PX
        self._background = Background(self)
        self._rest = QtCore.QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._on_rest)

    @property
    def is_settled(self) -> bool:
        """Whether the newest wish is shown as finely as it gets, or cannot be."""
        return not (self._pass or self._full or self._rest.isActive() or self._background.is_busy)

    def ask(self, wish: Wish) -> None:
        """Render this from now on."""
        self._drop_full()
        self._wish, self._is_stale = wish, True
        self._rest.start()
        if self._pass is None:
            self._begin(wish)

    def ask_angles(self, wish: Wish) -> None:
        """Give the angles of another pixel; the images stay as they are."""
        self._wish = wish
        if wish.pixel is None:
            self.angles = None
            self.angled.emit()
        elif self._pass is None and self.terrain is not None:
            if self._full is not None:  # it would make the angles wait; it begins again afterwards
                self._drop_full()
                self._rest.start()
            terrain = self.terrain
            work = partial(with_slope, terrain.height, terrain.pixel_size_nm, wish.setup.slope_deg)
            self._background.run(work, partial(self._submit_angles, wish, terrain, 1))

    def stop(self) -> None:
        """Forget the wish; what is there stays, and no more comes."""
        self._drop_full()
        self._rest.stop()
        self._background.drop()
        self._wish, self._pass, self._is_stale = None, None, False

    def fail(self, problem: str) -> None:
        """Say why there is no picture, and give up what is on its way."""
        self.stop()
        self._tell(problem)

    # The coarse picture

    def _begin(self, wish: Wish) -> None:
        self._is_stale = False
        self._pass = its = _Pass(wish)
        source = wish.source
        if self.terrain is not None and self.terrain.source == source:
            self._render_coarse(its, self.terrain)
        elif isinstance(source, Specimen):
            self._submit(its, "specimen", source, {}, partial(self._on_made, its, source))
        else:
            self._background.run(partial(_terrain, source), partial(self._on_terrain, its))

    def _on_made(self, its: _Pass, source: Specimen, result: StepResult) -> None:
        name = SURFACE_TITLES.get(source.kind, source.kind)
        self._on_terrain(its, Terrain(source, name, result.arrays["height"], source.pixel_size_nm))

    def _on_terrain(self, its: _Pass, terrain: Terrain | EclipsError) -> None:
        if its is not self._pass:
            return
        if isinstance(terrain, EclipsError):
            self._give_up(its, str(terrain))
        else:
            self.terrain = terrain
            self._render_coarse(its, terrain)

    def _render_coarse(self, its: _Pass, terrain: Terrain) -> None:
        wish = its.wish
        factor = -(-max(terrain.shape) // _COARSE_PX[self._level])
        height = binned(terrain.height, factor)
        height = with_slope(height, terrain.pixel_size_nm * factor, wish.setup.slope_deg)
        params = simulate_params(wish.setup, wish.detector, terrain.pixel_size_nm, factor, draft=True)
        then = partial(self._on_coarse, its, terrain, params, factor)
        if wish.pixel is not None:  # first, so that the time until the picture is that of all
            self._submit_angles(wish, terrain, factor, height, its)
        self._submit(its, "simulate", params, {"height": height}, then)

    def _on_coarse(self, its: _Pass, terrain: Terrain, params: Simulate, factor: int, result: StepResult) -> None:
        seconds = time.perf_counter() - its.began
        step = 1 if seconds < _QUICK_S else -1 if seconds > _SLOW_S else 0
        self._level = min(max(self._level + step, 0), len(_COARSE_PX) - 1)
        self._take(
            Frame(
                its.wish, terrain, params, result.arrays["segments"], factor, False, result.info, seconds,
                result.arrays.get("outside"),
            )
        )  # fmt: skip

    def _take(self, frame: Frame) -> None:
        self.frame = frame
        self._tell("")
        self.framed.emit()

    def _end_of(self, its: _Pass) -> None:
        """Go on when the last answer of a pass has come."""
        if its is not self._pass or its.waiting:
            return
        self._pass = None
        if self._is_stale and self._wish is not None:
            self._begin(self._wish)
        elif not self._rest.isActive():
            self._on_rest()

    # The full picture

    def _on_rest(self) -> None:
        frame = self.frame
        if self._pass is not None or frame is None or frame.is_full or self._wish is None:
            return
        terrain, wish = frame.terrain, self._wish
        work = partial(with_slope, terrain.height, terrain.pixel_size_nm, wish.setup.slope_deg)
        self._background.run(work, partial(self._render_full, wish, terrain))

    def _render_full(self, wish: Wish, terrain: Terrain, height: NDArray[Any]) -> None:
        if self._wish is None or not wish.looks_like(self._wish) or self._pass or self._full:
            return
        params = simulate_params(wish.setup, wish.detector, terrain.pixel_size_nm)
        hear = _Hear(self, None, partial(self._on_full, wish, terrain, params, time.perf_counter()))
        if wish.pixel is not None:
            self._submit_angles(wish, terrain, 1, height)
        self.progress = 0.0
        self._full = self._jobs.submit("simulate", params, {"height": height}, hear=hear, key="simulate")
        self.told.emit()

    def _on_full(self, wish: Wish, terrain: Terrain, params: Simulate, began: float, result: StepResult) -> None:
        if self._wish is None or not wish.looks_like(self._wish):
            return  # finished before it heard that it is not wanted any more
        self._full, self.progress = None, None
        seconds = time.perf_counter() - began
        segments, outside = result.arrays["segments"], result.arrays.get("outside")
        self._take(Frame(wish, terrain, params, segments, 1, True, result.info, seconds, outside))

    def _drop_full(self) -> None:
        if self._full is not None:
            self._full.cancel()
            self._full, self.progress = None, None
            self.told.emit()

    # The angles of a pixel

    def _submit_angles(
        self, wish: Wish, terrain: Terrain, factor: int, height: NDArray[Any], its: _Pass | None = None
    ) -> None:
        assert wish.pixel is not None
        row, column = (min(place // factor, size - 1) for place, size in zip(wish.pixel, height.shape, strict=True))
        params = Visibility(wish.detector, terrain.pixel_size_nm * factor, row, column, draft=its is not None)
        self._submit(its, "visibility", params, {"height": height}, partial(self._on_angles, wish), "simulate-angles")

    def _on_angles(self, wish: Wish, result: StepResult) -> None:
        if self._wish is not None and self._wish.pixel is not None:
            self.angles = Angles(wish, result.arrays, result.info)
            self.angled.emit()

    # The engine

    def _submit(
        self,
        its: _Pass | None,
        step: str,
        params: Any,
        inputs: Mapping[str, NDArray[Any]],
        then: Callable[[StepResult], object],
        key: str = "",
    ) -> None:
        if its is not None:
            its.waiting += 1
        priority: Priority = "preview"
        self._jobs.submit(step, params, inputs, hear=_Hear(self, its, then), key=key, priority=priority)

    def hear(self, its: _Pass | None, then: Callable[[StepResult], object], event: Event) -> None:
        """Take what the engine says of a job; `its` is the pass that waits for it."""
        if isinstance(event, Progress):
            if event.job is self._full:
                self.progress = event.fraction
                self.told.emit()
            return
        if not event.is_last or (its is not None and its is not self._pass):
            return  # what was given up is of no interest any more
        if its is not None:
            its.waiting -= 1
        if isinstance(event, Done):
            then(event.result)
        elif isinstance(event, Failed | Lost):
            if event.job is self._full:
                self._full, self.progress = None, None
            self._give_up(its, str(event.error))
        if its is not None:
            self._end_of(its)

    def _give_up(self, its: _Pass | None, problem: str) -> None:
        """Say what went wrong, unless there is a newer wish to go on with."""
        if its is not None and self._is_stale and self._wish is not None:
            self._begin(self._wish)
        else:
            self.fail(problem)

    def _tell(self, problem: str) -> None:
        if problem != self.problem or self.progress is None:
            self.problem = problem
            self.told.emit()


class _Hear:
    """Hears the events of one job."""

    def __init__(self, live: LiveImages, its: _Pass | None, then: Callable[[StepResult], object]) -> None:
        self._live, self._its, self._then = live, its, then

    def __call__(self, event: Event) -> None:
        self._live.hear(self._its, self._then, event)


def _terrain(source: Run | HeightMap) -> Terrain | EclipsError:
    try:
        return terrain_of(source)
    except EclipsError as error:
        return error
