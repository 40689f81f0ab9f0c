"""Small projects for the panels' tests: sets of images, runs with known heights, and jobs that the test answers itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.steps import Reconstruct, Simulate, StepResult, run_step
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.jobs.job import Cancelled, Done, Preview, Progress
from eclips_app.model.items import Run, SegmentImage, SegmentSet
from eclips_app.model.runs import inputs_record

ROWS, COLUMNS = 60, 80
PIXEL_NM = 2.0


def detector(**changes: Any) -> Detector:
    segments = tuple(Segment(name, 90.0 * k, 90.0, 1.0, 0.0) for k, name in enumerate("ENWS"))
    return Detector(
        **{"name": "Ring", "distance_mm": 8.0, "inner_radius_mm": 2.0, "outer_radius_mm": 8.0, "quadrants": segments}
        | changes
    )


def make_set(name: str = "scan", **fields: Any) -> SegmentSet:
    images = tuple(
        SegmentImage(segment, np.full((ROWS, COLUMNS), 1000, np.uint16), source=f"{segment}.tif", sha256=segment * 64)
        for segment in "ENWS"
    )
    return SegmentSet(**{"id": name, "name": name, "images": images, "pixel_size_nm": PIXEL_NM} | fields)


def ramp(slope: float = 0.5) -> np.ndarray:
    """Heights in nm that rise to the right."""
    columns = np.arange(COLUMNS, dtype=np.float32) * PIXEL_NM * slope
    return np.broadcast_to(columns, (ROWS, COLUMNS)).copy()


def make_run(
    segment_set: SegmentSet, run_id: str, height: np.ndarray | None = None, info: Any = None, **params: Any
) -> Run:
    chosen = Reconstruct(detector=detector(), pixel_size_nm=PIXEL_NM, crop=segment_set.crop, **params)
    arrays = {"height": ramp() if height is None else height}
    facts = {"inputs": inputs_record(segment_set), "exclude_sha256": "", **(info or {})}
    shas = tuple(image.sha256 for image in segment_set.images)
    return Run(
        run_id, run_id, segment_set.id, "reconstruct-linear", 1, schema.dump(chosen), arrays, facts, shas,
        "2026-01-02T03:04:05+00:00", 1.5,
    )  # fmt: skip


def fill(session: Session, sets: int = 1, runs: int = 1) -> None:
    """Put a detector and sets with runs into the project; set 0 is "scan0", its runs "scan0-0" and so on."""
    session.do(edits.set_detector(session.project, detector(), path="ring.json"))
    for i in range(sets):
        each = make_set(f"scan{i}", time_s=0.5 * i if sets > 1 else None)
        session.do(edits.add("Open", each))
        for k in range(runs):
            session.do(edits.add("Reconstruct", make_run(each, f"scan{i}-{k}", ramp(0.5 + 0.1 * i + 0.25 * k))))
    if runs:
        session.project.select(run_id="scan0-0")


@dataclass(eq=False)
class Submitted:
    """A job that waits for the test's answer."""

    step: str
    params: Any
    inputs: Any
    hear: Any
    key: str = ""
    cancelled: bool = False
    best: StepResult | None = None  #: what it gives when it is told to stop

    def cancel(self) -> None:
        self.cancelled = True
        self.hear(Cancelled(self, self.best, 2.0))

    def progress(self, fraction: float, text: str, left: float) -> None:
        self.hear(Progress(self, fraction, text, left))

    def preview(self, array: np.ndarray, name: str = "height", **info: float) -> None:
        self.hear(Preview(self, name, array, info))

    def done(self, arrays: dict[str, np.ndarray], **info: Any) -> None:
        self.hear(Done(self, StepResult(arrays, info), 2.0))


class HeldJobs:
    """Takes jobs and leaves them to the test."""

    def __init__(self) -> None:
        self.jobs: list[Submitted] = []

    def submit(self, step: str, params: Any, inputs: Any, *, hear: Any, key: str = "", priority: str = "") -> Submitted:
        self.jobs.append(Submitted(step, params, inputs, hear, key))
        return self.jobs[-1]

    def shutdown(self) -> None:
        pass


def hill_images(peak_nm: float) -> tuple[SegmentImage, ...]:
    """Noisy images that `detector` gives of a hill."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    hill = peak_nm * np.exp(-((columns - 40) ** 2 + (rows - 30) ** 2) / 200.0)
    simulated = Simulate(detector(), PIXEL_NM, dose=4000.0, azimuths=16, seed=1)
    pages = run_step("simulate", {"height": hill}, simulated, SilentContext()).arrays["segments"]
    return tuple(SegmentImage(name, page, sha256=name * 64) for name, page in zip("ENWS", pages, strict=True))


def held_session(folder: Path) -> Session:
    """A session whose jobs wait for the test."""
    made = Session(Settings(folder / "settings.ini"), HeldJobs())  # type: ignore[arg-type]
    made.theme.apply()
    return made
