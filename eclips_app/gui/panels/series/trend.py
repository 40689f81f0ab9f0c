"""A reading of the selected line over all frames, worked out frame by frame while the window is idle."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg

from eclips_app.gui.flows.measure import flow_of
from eclips_app.gui.flows.series import FramePlayer, run_of
from eclips_app.gui.panels.series.presenter import READINGS, reading
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.plot_colors import color_plot
from eclips_app.model.items import SegmentSet

_SLICE_MS = 8  #: how long one go may take


class Trend(QtWidgets.QWidget):
    """Plot of a reading against time, or against the frame's number while times are not known."""

    def __init__(self, session: Session, player: FramePlayer) -> None:
        super().__init__()
        self._session, self._player = session, player
        self._flow = flow_of(session)
        self._key: tuple[object, ...] = ()
        self._values: dict[str, float] = {}  # by frame id
        self._waiting: list[SegmentSet] = []
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._work)
        self.choice = QtWidgets.QComboBox()
        self.choice.setAccessibleName("Reading over the frames")
        self.choice.setToolTip("What is read from the selected profile line on every frame")
        self.choice.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(14)
        for key, text, *_ in READINGS:
            self.choice.addItem(text, key)
        self.choice.activated.connect(self._on_choice)
        self.hint = QtWidgets.QLabel("Draw a line in the Profile panel to follow it over the frames.")
        self.hint.setProperty("kind", "faint")
        self.hint.setWordWrap(True)
        self.plot = pg.PlotWidget(enableMenu=False)
        self.plot.setMinimumSize(140, 80)
        self.plot.setAccessibleName("Reading over the frames")
        self.plot.hideButtons()
        self._curve = pg.PlotDataItem(symbol="o", symbolSize=6, antialias=True)
        self._now = pg.InfiniteLine(0.0, angle=90)
        self.plot.addItem(self._curve)
        self.plot.addItem(self._now)
        self.plot.scene().sigMouseClicked.connect(self._on_click)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.addWidget(self.choice)
        layout.addWidget(self.hint)
        layout.addWidget(self.plot, 1)
        self._flow.cursors_changed.connect(self._on_cursors)
        session.theme.changed.connect(self._use_theme)
        self._use_theme()

    def refresh(self) -> None:
        """Begin to read again if line, cursors or runs have changed."""
        project = self._session.project
        line, frames = project.line, self._player.frames
        self.hint.setVisible(line is None)
        runs = {frame.id: run_of(project, frame) for frame in frames}
        ids = tuple((frame_id, run.id) for frame_id, run in runs.items() if run is not None)
        key = (line, self._flow.cursors_nm(line) if line else (), ids, self.choice.currentData())
        if key != self._key:
            self._key = key
            self._values = {}
            self._waiting = [frame for frame in frames if runs[frame.id] is not None] if line is not None else []
            self._timer.start()
        self._show_now()

    def values(self) -> list[float]:
        """Give the readings of all frames, NaN where there is none (yet)."""
        return [self._values.get(frame.id, math.nan) for frame in self._player.frames]

    def _work(self) -> None:
        clock = QtCore.QElapsedTimer()
        clock.start()
        line, project = self._session.project.line, self._session.project
        while self._waiting and line is not None and clock.elapsed() < _SLICE_MS:
            frame = self._waiting.pop(0)
            run = run_of(project, frame)
            if run is not None:
                cursors = self._flow.cursors_nm(line)
                self._values[frame.id] = reading(run, line, cursors, self.choice.currentData())
        if not self._waiting or line is None:
            self._timer.stop()
        self._show_values()

    def _places(self) -> tuple[list[float], str, str]:
        frames = self._player.frames
        times = [frame.time_s for frame in frames if frame.time_s is not None]
        if len(times) == len(frames):
            return times, "Time", "s"
        return [float(i + 1) for i in range(len(frames))], "Frame", ""

    def _show_values(self) -> None:
        places, name, unit = self._places()
        _, _, word, reading_unit = READINGS[self.choice.currentIndex()]
        values = np.array(self.values(), float)
        scale = 1e-9 if reading_unit == "nm" else 1.0
        self.plot.setLabel("bottom", name, units=unit)
        self.plot.setLabel("left", word, units="m" if scale != 1.0 else "°")
        self.plot.getAxis("left").enableAutoSIPrefix(scale != 1.0)
        self.plot.getAxis("left").setScale(scale)
        if np.isfinite(values).any():
            self._curve.setData(np.array(places), values, connect="finite")
        else:
            self._curve.clear()
        self._show_now()

    def _show_now(self) -> None:
        places, _, _ = self._places()
        if places:
            self._now.setValue(places[self._player.index])

    def _on_choice(self, _: int) -> None:
        self.refresh()

    def _on_cursors(self, _: str) -> None:
        self.refresh()

    def _on_click(self, event: object) -> None:
        places, _, _ = self._places()
        if places:
            x = self.plot.getViewBox().mapSceneToView(event.scenePos()).x()  # type: ignore[attr-defined]
            self._player.go_to(int(np.argmin(np.abs(np.array(places) - x))))

    def _use_theme(self) -> None:
        colors = self._session.theme.colors
        self._curve.setPen(pg.mkPen(colors.curves[0], width=1.6))
        self._curve.setSymbolBrush(colors.curves[0])
        self._curve.setSymbolPen(None)
        self._now.setPen(pg.mkPen(colors.accent, width=1.5))
        color_plot(self.plot, colors)
