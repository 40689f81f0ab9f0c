"""Line profiles: the image with its lines beside the plot, figures and lists below it."""

from __future__ import annotations

import numpy as np

from eclips_app.gui.flows import uncertainty
from eclips_app.gui.flows.measure import flow_of
from eclips_app.gui.flows.sampling import image_shape
from eclips_app.gui.panels.profile.image_side import ImageSide
from eclips_app.gui.panels.profile.lines_list import LinesList
from eclips_app.gui.panels.profile.map_form import MapForm
from eclips_app.gui.panels.profile.plot_side import PlotSide
from eclips_app.gui.panels.profile.shape_form import ShapeForm
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.line_geometry import Point
from eclips_app.gui.widgets.stretch_marks import stretch_color
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.gui.widgets.turning_splitter import TurningSplitter
from eclips_app.model.items import Measurement, ProfileLine
from eclips_app.model.project import Selection

_MARK_POINTS = 49  #: that a stretch is drawn with on the image; enough for a circle
_LOW_PX = 420  #: in a lower panel the plot gets more of the room than what stands below it


class ProfilePanel(QtWidgets.QWidget):
    """Draw, read, compare and keep profiles."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        flow = flow_of(session)
        self.image = ImageSide(session, flow)
        self.plot = PlotSide(session, flow)
        self.lines = LinesList(session)
        self.form = ShapeForm(session, flow)
        self.map_form = MapForm(session, flow)
        self.add = ThemedButton(session.theme, "add", "Add a line across the middle of the image", "Ctrl+L")
        self.add.clicked.connect(flow.add_line)
        self.delete = ThemedButton(session.theme, "delete", "Take out the selected line", "Delete")
        self.delete.clicked.connect(flow.delete_line)
        self._is_low = False
        self.splitter = TurningSplitter((50, 50), (45, 55))
        self.right = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        self.tabs = self._make_tabs()
        self._lay_out()
        self.map_form.place.toggled.connect(self._on_place)
        self.map_form.view_changed.connect(self._show_map)
        self.image.pane.tool_changed.connect(self._on_tool)
        self.image.draw.add_shortcuts(self)
        self._shortcut("S", self.plot.mark.toggle)
        self._shortcut("Del", self.plot.stretches.remove_current, self.plot.stretches).setContext(
            Qt.ShortcutContext.WidgetShortcut
        )
        delete = self._shortcut("Del", flow.delete_line, self.lines)
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        flow.cursors_changed.connect(self._show_marks)
        uncertainty.flow_of(session).changed.connect(self._show_marks)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)
        session.theme.changed.connect(self.plot.refresh)
        self._refresh()

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs with its halves one above the other."""
        return QtCore.QSize(340, 340)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the plot under the image where there is no room beside it."""
        self.splitter.fit(event.size())
        low = event.size().height() < _LOW_PX
        if low != self._is_low:
            self._is_low = low
            self.right.setSizes([60, 40] if low else [600, 190])
        super().resizeEvent(event)

    def _make_tabs(self) -> QtWidgets.QTabWidget:
        lines = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(lines)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.addWidget(self.lines, 0, 0, 1, 3)
        grid.addWidget(self.add, 1, 0)
        grid.addWidget(self.delete, 1, 1)
        grid.addWidget(self.form, 0, 3, 2, 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(2, 1)
        grid.setColumnStretch(3, 6)
        self.lines.setMinimumSize(118, 60)
        tabs = QtWidgets.QTabWidget()
        tabs.setDocumentMode(True)
        tabs.addTab(lines, "Lines")
        tabs.addTab(self.plot.readings, "Cursors")
        tabs.addTab(self.plot.stretches, "Stretches")
        tabs.addTab(self.plot.budget, "Budget")
        tabs.addTab(_scrolled(self.map_form), "Height map")
        tabs.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Preferred)
        return tabs

    def _lay_out(self) -> None:
        right = self.right
        right.addWidget(self.plot)
        right.addWidget(self.tabs)
        right.setStretchFactor(0, 1)
        right.setStretchFactor(1, 0)
        right.setSizes([600, 190])
        self.splitter.addWidget(self.image)
        self.splitter.addWidget(right)
        self.splitter.setSizes([500, 500])
        right.setChildrenCollapsible(False)
        self.empty = EmptyState(
            self._session,
            "Open segment images, or drop the file of a height map here",
            "Open images",
            "images.open",
            "images",
        )
        self.pages = QtWidgets.QStackedLayout(self)
        # The panel may get narrower than its halves side by side: then they stand one above the other.
        self.pages.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.splitter)

    def _shortcut(self, keys: str, run: object, parent: QtWidgets.QWidget | None = None) -> QtGui.QShortcut:
        shortcut = QtGui.QShortcut(QtGui.QKeySequence(keys), parent or self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(run)
        return shortcut

    def _refresh(self) -> None:
        project = self._session.project
        anything = project.segment_set is not None or self.map_form.current() is not None
        self.pages.setCurrentWidget(self.splitter if anything else self.empty)
        self.image.refresh_layers()
        self.map_form.refresh()
        self._show_map()
        self._refresh_lines()

    def _refresh_lines(self) -> None:
        self.image.refresh_lines()
        self.plot.refresh()
        self._show_marks()
        self.lines.refresh()
        self.form.refresh()
        self.add.setEnabled(image_shape(self._session.project) is not None)
        self.delete.setEnabled(self._session.project.line is not None)

    def _show_marks(self, _: str = "") -> None:
        colors, asked = self._session.theme.colors, uncertainty.flow_of(self._session)
        marks: list[tuple[Point, str]] = []
        if asked.pixel is not None:
            marks.append((asked.pixel, "#ffffff"))
        readings, stretches = self.plot.readings_now, []
        if self._session.project.line is not None and readings:
            profile = readings[0].sampled.profile
            x, cursors = profile.distance_nm, self.plot.plot.cursor_positions_nm
            places = zip(np.interp(cursors, x, profile.x_px), np.interp(cursors, x, profile.y_px), strict=True)
            marks += [((float(a), float(b)), color) for (a, b), color in zip(
                places, (colors.accent, colors.warning), strict=True
            )]  # fmt: skip
            for i, (low, high) in enumerate(self._session.project.line.stretches_nm):
                along = np.linspace(low, high, _MARK_POINTS)
                points = zip(np.interp(along, x, profile.x_px), np.interp(along, x, profile.y_px), strict=True)
                stretches.append(([(float(a), float(b)) for a, b in points], stretch_color(self._session.theme, i)))
        self.image.pane.set_marks(marks, stretches)

    def _show_map(self) -> None:
        self.image.show_map(self.map_form.current(), self.map_form.opacity)

    def _on_place(self, on: bool) -> None:
        self.image.pane.set_tool("place" if on else "move")

    def _on_tool(self, tool: str) -> None:
        self.map_form.place.setChecked(tool == "place")

    def _on_project(self, ids: frozenset[str]) -> None:
        # A line on the move must not cost more than its own profile, and results nothing.
        rows = {item_id for item_id in ids if self._session.project.get(Measurement, item_id) is not None}
        if ids and ids == rows:
            return
        if ids and all(self._session.project.get(ProfileLine, item_id) is not None for item_id in ids - rows):
            self._refresh_lines()
        else:
            self._refresh()

    def _on_selection(self, _: Selection) -> None:
        self._refresh()


def _scrolled(form: QtWidgets.QWidget) -> QtWidgets.QScrollArea:
    """Let a form be higher than the room that a low window has for it."""
    area = QtWidgets.QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
    area.setWidget(form)
    return area
