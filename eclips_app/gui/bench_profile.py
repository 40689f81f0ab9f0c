"""How quickly the Profile panel follows the mouse: from the move's event to the painted plot and image."""

from __future__ import annotations

import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from eclips_app.gui.bench import Figures, add_images, make_session, rough_surface, since, wait_until
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets

if TYPE_CHECKING:
    from eclips_app.gui.session import Session

TARGET_MS = 16.0  #: a frame of a screen with 60 Hz


def bench_profile(size_px: int = 2048, width_px: float = 50.0, moves: int = 60) -> Figures:
    """Drag the end of a line on maps of `size_px` squared: alone, beside other shapes and live results, and on two runs.

    Times are those of one move, by the clock and of the processor; other programs lengthen the first alone.
    """
    from eclips_app.gui.flows import measure, results
    from eclips_app.gui.panels.profile.view import ProfilePanel
    from eclips_app.gui.panels.results.view import ResultsPanel

    figures: Figures = {"size_px": size_px, "width_px": width_px, "target_ms": TARGET_MS}
    with tempfile.TemporaryDirectory() as folder:
        session = make_session(folder)
        first, second = _add_runs(session, size_px)
        panel, table = ProfilePanel(session), ResultsPanel(session)
        for widget, height in ((panel, 850), (table, 165)):
            widget.resize(1250, height)
            widget.show()
        flow = measure.flow_of(session)
        line = flow.new_line((0.1 * size_px, 0.1 * size_px), (0.9 * size_px, 0.8 * size_px))
        flow.set_width(line, width_px)
        session.project.select(run_id=first)
        wait_until(lambda: False, 300)
        figures |= _figures("alone", _drag_end(panel, size_px, moves))
        _add_shapes_and_rows(session, line, size_px)
        rows = results.flow_of(session)
        wait_until(lambda: not any(rows.waits(row.id) for row in rows.rows()))
        figures["rows"] = len(rows.rows())
        figures |= _figures("with_shapes_and_rows", _drag_end(panel, size_px, moves))
        session.project.select(compared_run_id=second)
        figures |= _figures("two_runs", _drag_end(panel, size_px, moves))
        for widget in (panel, table):
            widget.close()
        session.close()
    return figures


def _figures(name: str, times: list[tuple[float, float]]) -> Figures:
    clock, busy = zip(*times, strict=True)
    return {
        f"{name}_median_ms": statistics.median(clock),
        f"{name}_longest_ms": max(clock),
        f"{name}_processor_ms": statistics.median(busy),
    }


def _add_runs(session: Session, size_px: int) -> tuple[str, str]:
    """Put a set with two runs into the project; gives the runs' ids."""
    from eclips_app.commands import edits
    from eclips_app.model.items import Run

    add_images(session, size_px)
    height = rough_surface(size_px)
    arrays = {"height": height, "height_std": np.full_like(height, 0.5), "mask": np.ones(height.shape, bool)}
    params = {"pixel_size_nm": 2.0, "crop": [0, 0, 0, 0]}
    for name in ("first", "second"):
        run = Run(
            name, name, "bench", "reconstruct-linear", 1, params, dict(arrays), {}, (), "2026-01-01T00:00:00Z", 1.0
        )
        session.do(edits.add("Run", run))
    return "first", "second"


def _add_shapes_and_rows(session: Session, line_id: str, size_px: int) -> None:
    """Draw a shape of each kind, mark stretches on the line, and measure it five times."""
    from eclips_app.gui.flows import measure, results

    flow, rows, part = measure.flow_of(session), results.flow_of(session), size_px / 10
    flow.new_shape("polyline", ((part, 8 * part), (3 * part, 9 * part), (5 * part, 8 * part)))
    flow.new_shape("circle", ((8 * part, 2 * part), (9 * part, 2 * part)))
    flow.new_shape("rectangle", ((6 * part, 8 * part), (9 * part, 9 * part)))
    rows.add("plane")
    session.project.select(line_id=line_id)
    line = session.project.line
    if line is not None:
        length = flow.length_nm(line)
        flow.set_stretches(line, ((0.1 * length, 0.4 * length), (0.6 * length, 0.9 * length)))
    for kind in ("slope", "dihedral", "step", "edge"):
        rows.add(kind)


def _drag_end(panel: Any, size_px: int, moves: int) -> list[tuple[float, float]]:
    """Drag the end of the selected line about; give each move's ms (clock, processor) until all was painted."""
    pane = panel.image.pane
    line = next(each for each in pane.lines if each.id == pane.selected_id)
    kinds, left = QtCore.QEvent.Type, Qt.MouseButton.LeftButton

    def send(kind: QtCore.QEvent.Type, point: tuple[float, float], buttons: Qt.MouseButton) -> None:
        place = QtCore.QPointF(*pane.screen_point(point))
        none = Qt.KeyboardModifier.NoModifier
        event = QtGui.QMouseEvent(kind, place, pane.viewport().mapToGlobal(place), left, buttons, none)
        QtWidgets.QApplication.sendEvent(pane.viewport(), event)

    send(kinds.MouseButtonPress, line.end_px, left)
    times, end = [], line.end_px
    for i in range(moves):
        end = (0.9 - 0.3 * i / moves) * size_px, (0.8 + 0.15 * np.sin(i / 5)) * size_px
        start, cpu = time.perf_counter(), time.process_time()
        send(kinds.MouseMove, end, left)
        QtWidgets.QApplication.sendPostedEvents()  # what the move has left to paint is painted now
        times.append((since(start), 1e3 * (time.process_time() - cpu)))
    send(kinds.MouseButtonRelease, end, Qt.MouseButton.NoButton)
    return times
