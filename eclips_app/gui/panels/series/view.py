"""Frames over time: the heights of each frame with the profile lines on them, the player, and a reading over all."""

from __future__ import annotations

from eclips_app.commands import edits
from eclips_app.core.schema import Rule
from eclips_app.core.units import format_length
from eclips_app.gui.flows import measure, reconstruct
from eclips_app.gui.flows.sampling import pixel_size_nm
from eclips_app.gui.flows.series import player_of, run_of
from eclips_app.gui.panels.series.controls import Controls
from eclips_app.gui.panels.series.frames_strip import FramesStrip
from eclips_app.gui.panels.series.presenter import common_levels, even_times, height_levels
from eclips_app.gui.panels.series.trend import Trend
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.line_pane import LinePane
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.gui.widgets.turning_splitter import TurningSplitter
from eclips_app.model.items import ProfileLine, Run
from eclips_app.model.project import Selection

_TIME = Rule("Time of this frame", "s", -1e9, 1e9, (), "When the frame was taken, for instance from the start")
_INTERVAL = Rule("Interval", "s", 1e-6, 1e9, (), "Time between frames")
_LOW = 400  #: below this height the strip of pictures makes room


class SeriesPanel(QtWidgets.QWidget):
    """Every set of images is a frame, in the order in which they were opened."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._player = player_of(session)
        self._measure = measure.flow_of(session)
        self._levels: dict[str, tuple[float, float]] = {}  # by run id
        self._shape: tuple[int, ...] = ()
        self.pane = LinePane(session.theme)
        self.pane.setMinimumSize(160, 100)
        self.strip = FramesStrip(session, self._player)
        self.trend = Trend(session, self._player)
        self.fixed = QtWidgets.QCheckBox("Fixed colours")
        self.fixed.setChecked(True)
        self.fixed.setToolTip("One range of heights for all frames; else each frame has its own")
        self.fixed.toggled.connect(self._show_frame)
        self.controls = Controls(session, self._player, self.fixed)
        self.time = QuantityEdit(_TIME, None, optional=True)
        self.time.committed.connect(self._on_time)
        self.interval = QuantityEdit(_INTERVAL, None, optional=True)
        self.interval.setToolTip("Type the time between frames to number them all from 0 s")
        self.interval.committed.connect(self._on_interval)
        self.add = QtWidgets.QPushButton("Add frames…")
        self.add.setToolTip("Open more segment images; each set becomes a frame")
        self.add.clicked.connect(self._on_add)
        self.reconstruct_all = QtWidgets.QPushButton("Reconstruct all frames")
        self.reconstruct_all.setToolTip("Compute the heights of all frames, one after another (Shift+F5)")
        self.reconstruct_all.clicked.connect(reconstruct.flow_of(session).run_all)
        self._lay_out()
        self._connect()
        self._refresh()

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs with the plot under the image."""
        return QtCore.QSize(380, 300)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the plot under the image where there is no room beside it."""
        self.strip.setVisible(event.size().height() >= _LOW)
        self.splitter.fit(event.size())
        super().resizeEvent(event)

    def _lay_out(self) -> None:
        self.splitter = TurningSplitter((60, 40), (60, 40))
        self.splitter.addWidget(self.pane)
        self.splitter.addWidget(self.trend)
        self.splitter.setSizes([600, 400])
        self.splitter.setContentsMargins(8, 8, 0, 0)
        row = QtWidgets.QHBoxLayout()
        row.setContentsMargins(8, 0, 8, 8)
        row.addWidget(self.add)
        row.addWidget(self.reconstruct_all)
        row.addStretch(1)
        for text, field in (("Time", self.time), ("Interval", self.interval)):
            field.setMinimumWidth(70)
            field.setMaximumWidth(90)
            row.addWidget(QtWidgets.QLabel(text))
            row.addWidget(field)
        page = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.strip)
        layout.addWidget(self.controls)
        layout.addLayout(row)
        self.empty = EmptyState(
            self._session,
            "Open the images of two or more frames to see them over time",
            "Open images",
            "images.open",
            "images",
        )
        self.pages = QtWidgets.QStackedLayout(self)
        self.pages.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(page)
        self._page = page

    def _connect(self) -> None:
        space = QtGui.QShortcut(QtGui.QKeySequence("Space"), self)
        space.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        space.activated.connect(self._player.toggle)
        pane, project = self.pane, self._session.project
        pane.shape_moved.connect(self._measure.reshape)
        pane.width_dragged.connect(self._measure.set_width)
        pane.line_picked.connect(self._on_picked)
        pane.drag_ended.connect(self._session.history.end_merge)
        pane.delete_asked.connect(self._measure.delete_line)
        project.changed.connect(self._on_project)
        project.selection_changed.connect(self._on_selection)

    def _refresh(self) -> None:
        frames = self._player.frames
        self.pages.setCurrentWidget(self._page if frames else self.empty)
        self.strip.refresh()
        self.controls.refresh()
        self._read_levels()
        self._show_frame()

    def _read_levels(self) -> None:
        runs = [run_of(self._session.project, frame) for frame in self._player.frames]
        present = {run.id: run for run in runs if run is not None and "height" in run.arrays}
        self._levels = {
            run_id: self._levels.get(run_id) or height_levels(run.arrays["height"]) for run_id, run in present.items()
        }

    def _show_frame(self, _: bool = False) -> None:
        project = self._session.project
        run, frame = project.run, project.segment_set
        if run is not None and "height" in run.arrays:
            self._show_height(run)
        elif frame is not None:
            self._show(frame.images[0].data, (0, 0), percentile_levels(frame.images[0].data), "")
        else:
            self.pane.set_image(None)
        self.time.set_value(frame.time_s if frame is not None else None)
        self.time.setEnabled(frame is not None)
        self.interval.setEnabled(self._player.has_frames())
        self.reconstruct_all.setEnabled(self._player.has_frames())
        self._refresh_lines()

    def _show_height(self, run: Run) -> None:
        own = self._levels.get(run.id) or height_levels(run.arrays["height"])
        levels = (common_levels(list(self._levels.values())) or own) if self.fixed.isChecked() else own
        self._show(run.arrays["height"], run.origin_px, levels, "viridis")

    def _show(self, data: object, origin: tuple[int, int], levels: tuple[float, float], colormap: str) -> None:
        self.pane.set_image(
            data,  # type: ignore[arg-type]
            pixel_size_nm=pixel_size_nm(self._session.project),
            origin_px=origin,
            levels=levels,
            colormap=colormap or None,
        )
        self.pane.set_color_bar(colormap, *(format_length(level) for level in levels))
        frame = self._session.project.segment_set
        self.pane.title = frame.name if frame is not None else ""
        if data.shape != self._shape:  # type: ignore[attr-defined]
            self._shape = data.shape  # type: ignore[attr-defined]
            self.pane.fit()

    def _refresh_lines(self) -> None:
        project = self._session.project
        visible = [line for line in project.of_kind(ProfileLine) if line.visible]
        self.pane.set_lines(visible, project.selection.line_id)
        self.trend.refresh()

    def _on_project(self, ids: frozenset[str]) -> None:
        if ids and all(self._session.project.get(ProfileLine, item_id) is not None for item_id in ids):
            self._refresh_lines()
        else:
            self._refresh()

    def _on_selection(self, _: Selection) -> None:
        self.strip.show_current()
        self._show_frame()

    def _on_picked(self, line_id: str) -> None:
        self._session.project.select(line_id=line_id)

    def _on_add(self) -> None:
        if any(info.key == "images.open" for info in self._session.actions.infos()):
            self._session.actions.action("images.open").trigger()
        else:
            self._session.show_panel("images")

    def _on_time(self, value: float | None) -> None:
        frame = self._session.project.segment_set
        if frame is not None:
            self._session.do(edits.set_frame_times([frame], [value]))

    def _on_interval(self, value: float | None) -> None:
        frames = self._player.frames
        if value is not None and frames:
            self._session.do(edits.set_frame_times(frames, even_times(len(frames), value)))
