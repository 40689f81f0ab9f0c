"""Timings of the window, as JSON: ``python -m eclips_app.gui.bench [NAME ...]`` (all without a name).

Figures depend on the machine and on what else runs on it; each says what it is by its unit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.qt import QtCore, QtWidgets

Figures = dict[str, Any]


def bench_render(size_px: int = 1024, view_px: int = 1024) -> Figures:
    """Time the 3D view on a rough surface of `size_px` squared in a picture of `view_px` squared."""
    from eclips_app.scene3d import probe

    drawing = probe.drawing()
    probe.use(drawing)
    start = time.perf_counter()
    from eclips_app.gui.widgets.render_view import ColorScale, RenderView
    from eclips_app.scene3d import arrays

    figures: Figures = {"drawn_with": drawing.description, "import_ms": _since(start)}
    height = _rough_surface(size_px)
    view = RenderView()
    view.resize(view_px, view_px)
    view.show()
    wait_until(lambda: view.is_settled)
    heart = _Heart()
    start = time.perf_counter()
    view.set_height(height, 2.0)
    view.set_colors(height, ColorScale("Height", "viridis", -60.0, 60.0, "nm"))
    view.choose_exaggeration()
    wait_until(lambda: view.field is not None and not view.is_dirty)
    figures["first_picture_ms"] = _since(start)
    wait_until(lambda: view.is_settled)
    figures["settled_ms"] = _since(start)
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


BENCHES: dict[str, Callable[[], Figures]] = {"render": bench_render}


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


class _Heart(QtCore.QObject):
    """Beats in the event loop and notes the longest pause between two beats."""

    def __init__(self) -> None:
        super().__init__()
        self._last, self._longest = time.perf_counter(), 0.0
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._beat)
        self._timer.start(0)

    def longest_ms(self) -> float:
        """Stop, and give the longest pause in ms."""
        self._timer.stop()
        return 1e3 * self._longest

    def _beat(self) -> None:
        now = time.perf_counter()
        self._longest = max(self._longest, now - self._last)
        self._last = now


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


def _median_ms(work: Callable[[], object], count: int) -> float:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def _since(start: float) -> float:
    return 1e3 * (time.perf_counter() - start)


def _rough_surface(size_px: int) -> NDArray[np.float32]:
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
