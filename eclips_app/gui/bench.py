"""Timings of the window, as JSON: ``python -m eclips_app.gui.bench [NAME ...]`` (all without a name).

Figures depend on the machine and on what else runs on it; each says what it is by its unit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtCore, QtWidgets

if TYPE_CHECKING:
    from eclips_app.gui.session import Session

Figures = dict[str, Any]


def bench_render(size_px: int = 1024, view_px: int = 1024) -> Figures:
    """Time the 3D view on a rough surface of `size_px` squared in a picture of `view_px` squared."""
    from eclips_app.scene3d import probe

    drawing = probe.drawing()
    probe.use(drawing)
    start = time.perf_counter()
    from eclips_app.gui.widgets.render_view import ColorScale, RenderView
    from eclips_app.scene3d import arrays

    figures: Figures = {"drawn_with": drawing.description, "import_ms": since(start)}
    height = rough_surface(size_px)
    view = RenderView()
    view.resize(view_px, view_px)
    view.show()
    view.warm_up()
    wait_until(lambda: view.is_settled)
    heart = Heart()
    start = time.perf_counter()
    view.set_height(height, 2.0)
    view.set_colors(height, ColorScale("Height", "viridis", -60.0, 60.0, "nm"))
    view.choose_exaggeration()
    wait_until(lambda: view.field is not None and not view.is_dirty)
    figures["first_picture_ms"] = since(start)
    wait_until(lambda: view.is_settled)
    figures["settled_ms"] = since(start)
    figures["longest_stall_ms"] = heart.longest_ms()
    figures["slowest_render_call_ms"] = 1e3 * view.slowest_render_s
    figures["orbit_frames_per_s"], figures["orbit_stride_px"] = _orbit(view), view.stride
    wait_until(lambda: view.is_settled)
    figures["still_stride_px"], figures["still_frame_ms"] = view.stride, _render_ms(view)
    field = view.field
    assert field is not None
    for stride in (8, 1):
        figures[f"build_stride_{stride}_ms"] = _median_ms(partial(arrays.mesh, field, stride), 3)
    figures["build_slopes_ms"] = _median_ms(lambda: arrays.slopes(field), 3)
    figures["pick_ms"] = _median_ms(lambda: view.scene.pick(view_px * 0.5, view_px * 0.5), 20)
    view.close()
    return figures


def bench_profile() -> Figures:
    """Drag a line in the Profile panel; see `gui.bench_profile`."""
    from eclips_app.gui import bench_profile as made

    return made.bench_profile()


def bench_stall(size_px: int = 2048) -> Figures:
    """Find the longest pause of the event loop (a timer of 5 ms) during a reconstruction of `size_px` squared, panel shown."""
    from eclips_app.gui.flows import reconstruct
    from eclips_app.gui.panels.reconstruct.view import ReconstructPanel

    with tempfile.TemporaryDirectory() as folder:
        session = make_session(folder)
        add_images(session, size_px)
        panel = ReconstructPanel(session)
        panel.show()
        session.jobs.start()
        wait_until(lambda: session.jobs.status == "ready")
        wait_until(lambda: False, 300)
        heart = Heart(5)
        start = time.perf_counter()
        reconstruct.flow_of(session).run()
        wait_until(lambda: not session.tasks.running, 300_000)
        figures = {
            "longest_stall_ms": heart.longest_ms(),
            "most_work_between_beats_ms": 1e3 * heart.most_work_s,
            "reconstruction_ms": since(start),
            "reconstructed": session.project.run is not None,
        }
        panel.close()
        session.close()
    return figures


def bench_simulate_panel() -> Figures:
    """Move sliders of the Simulate panel; see `gui.bench_simulate`."""
    from eclips_app.gui import bench_simulate

    return bench_simulate.bench_simulate_panel()


BENCHES: dict[str, Callable[[], Figures]] = {
    "render": bench_render, "profile": bench_profile, "stall": bench_stall, "simulate-panel": bench_simulate_panel,
}  # fmt: skip


def wait_until(condition: Callable[[], bool], timeout_ms: int = 60_000) -> bool:
    """Run the event loop until a condition holds; False if it does not in time."""
    loop, poll, end = QtCore.QEventLoop(), QtCore.QTimer(), QtCore.QTimer()
    poll.timeout.connect(lambda: loop.quit() if condition() else None)
    end.timeout.connect(loop.quit)
    poll.start(1)
    end.start(timeout_ms)
    if not condition():
        loop.exec()
    return condition()


class Heart(QtCore.QObject):
    """Beats in the event loop and notes the longest pause between two beats."""

    def __init__(self, interval_ms: int = 0) -> None:
        super().__init__()
        self._last, self._longest = time.perf_counter(), 0.0
        self._worked, self.most_work_s = time.thread_time(), 0.0  # other programs may cause a pause, but no work
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._beat)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.start(interval_ms)

    def longest_ms(self) -> float:
        """Stop, and give the longest pause in ms."""
        self._timer.stop()
        return 1e3 * self._longest

    def _beat(self) -> None:
        now, worked = time.perf_counter(), time.thread_time()
        self._longest = max(self._longest, now - self._last)
        self.most_work_s = max(self.most_work_s, worked - self._worked)
        self._last, self._worked = now, worked


def _orbit(view: Any, frames: int = 30) -> float:
    """Frames per second, from the mouse's move to the painted picture; the level of detail settles during the first ten."""
    times = []
    for _ in range(frames):
        start = time.perf_counter()
        view.set_camera(view.camera.orbited(3.0, 0.0))
        view.repaint()
        times.append(time.perf_counter() - start)
    return 1.0 / statistics.mean(times[10:])


def _render_ms(view: Any) -> float:
    return _median_ms(view.scene.render, 5)


def make_session(folder: str) -> Session:
    """Give a session with settings of its own."""
    from eclips_app.gui.session import Session
    from eclips_app.gui.settings import Settings

    session = Session(Settings(Path(folder) / "settings.ini"))
    session.theme.apply()
    return session


def add_images(session: Session, size_px: int) -> None:
    """Put a set of four 16-bit images and a typical detector into the project."""
    from eclips_app.commands import edits
    from eclips_app.core.detector import presets
    from eclips_app.model.items import SegmentImage, SegmentSet

    detector = next(each for each in presets().values() if len(each.quadrants) == 4)
    rng = np.random.default_rng(0)
    p, q = np.gradient(rough_surface(size_px).astype(np.float32) / 20)
    images = []
    for segment in detector.quadrants:
        f = np.deg2rad(segment.azimuth_deg)
        signal = 5000 * (1 + 0.5 * (-np.cos(f) * q + np.sin(f) * p)) + rng.normal(0, 70, p.shape)
        images.append(SegmentImage(segment.name, np.clip(signal, 1, 65000).astype(np.uint16)))
    session.do(edits.set_detector(session.project, detector))
    session.do(edits.add("Open", SegmentSet("bench", "Bench", tuple(images), 2.0, "typed")))


def _median_ms(work: Callable[[], object], count: int) -> float:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def since(start: float) -> float:
    """Give the ms since a moment of `time.perf_counter`."""
    return 1e3 * (time.perf_counter() - start)


def rough_surface(size_px: int) -> NDArray[np.float32]:
    """Waves with noise: heights in nm."""
    row, col = np.mgrid[0:size_px, 0:size_px].astype(np.float32) * np.float32(1024 / size_px)
    noise = np.random.default_rng(0).normal(0.0, 0.5, row.shape).astype(np.float32)
    result: NDArray[np.float32] = 30 * np.sin(col / 50) * np.cos(row / 70) + 5 * np.sin(col / 7) + noise
    return result


def main() -> int:
    """Run the named benches and print their figures; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(BENCHES)}")
    names = parser.parse_args().names or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no bench '{unknown[0]}'; choose from {', '.join(BENCHES)}")
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication(sys.argv[:1])
    figures = {name: BENCHES[name]() for name in names}
    sys.stdout.write(json.dumps(figures, indent=2, default=str) + "\n")
    app.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
