"""Docks at the edge that keep their size when the window changes its own."""

from __future__ import annotations

from eclips_app.gui.qt import Qt, QtCore, QtWidgets

_AREAS = {
    Qt.DockWidgetArea.LeftDockWidgetArea: Qt.Orientation.Horizontal,
    Qt.DockWidgetArea.BottomDockWidgetArea: Qt.Orientation.Vertical,
}


class SteadyDocks(QtCore.QObject):
    """Gives what the window gains or loses to the panels on the right.

    Without a central widget, Qt shares it among all docks: in a maximised window the panels would be no wider. Where the user
    has put docks side by side, Qt's way is left alone.
    """

    def __init__(self, window: QtWidgets.QMainWindow, docks: list[QtWidgets.QDockWidget]) -> None:
        super().__init__(window)
        self._window = window
        self._docks = docks
        self._laid_out = window.size()  #: size of the window for which the docks were sized last
        self._kept: dict[Qt.DockWidgetArea, int] = {}  #: width or height wanted
        for dock in docks:
            dock.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Remember the size that a dock got from the user or the program, not from a resize of the window."""
        if event.type() == QtCore.QEvent.Type.Resize and self._window.size() == self._laid_out:
            assert isinstance(watched, QtWidgets.QDockWidget)
            area = self._window.dockWidgetArea(watched)
            if area in _AREAS and _is_shown(watched):
                self._kept[area] = _extent(watched.size(), _AREAS[area])
        return False

    def restore(self) -> None:
        """Put the sizes back after a resize of the window."""
        panels = self._shown(Qt.DockWidgetArea.RightDockWidgetArea)
        metric = QtWidgets.QStyle.PixelMetric.PM_DockWidgetSeparatorExtent
        separator = self._window.style().pixelMetric(metric, None, self._window)
        for area, orientation in _AREAS.items():
            edge, wanted = self._shown(area), self._kept.get(area)
            if wanted is not None and len(edge) == len(panels) == 1:
                both = (
                    edge[0].geometry().united(panels[0].geometry())
                )  # with the tabs between them, which Qt counts, too
                room = _extent(both.size(), orientation) - separator
                self._window.resizeDocks([*edge, *panels], [wanted, max(1, room - wanted)], orientation)
        layout = self._window.layout()
        if layout is not None:
            layout.activate()  # at once: between two pictures of a drag
        self._laid_out = self._window.size()

    def _shown(self, area: Qt.DockWidgetArea) -> list[QtWidgets.QDockWidget]:
        return [dock for dock in self._docks if self._window.dockWidgetArea(dock) == area and _is_shown(dock)]


def _is_shown(dock: QtWidgets.QDockWidget) -> bool:
    """Whether a dock is at its place and in front: those behind a tab count as visible but are kept outside of the window."""
    return dock.isVisible() and not dock.isFloating() and dock.geometry().right() > 0


def _extent(size: QtCore.QSize, orientation: Qt.Orientation) -> int:
    return size.width() if orientation == Qt.Orientation.Horizontal else size.height()
