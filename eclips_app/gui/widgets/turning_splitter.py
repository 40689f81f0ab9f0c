"""A splitter that puts its halves one above the other where there is no room for both side by side."""

from __future__ import annotations

from eclips_app.gui.qt import Qt, QtCore, QtWidgets

_NARROW = 720  #: below this width in pixels the second half stands under the first, if there is the height for it


class TurningSplitter(QtWidgets.QSplitter):
    """Two halves, beside or below each other; `beside` and `below` are their parts when it turns."""

    def __init__(self, beside: tuple[int, int], below: tuple[int, int]) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._parts = {Qt.Orientation.Horizontal: beside, Qt.Orientation.Vertical: below}
        self.setChildrenCollapsible(False)

    def fit(self, panel: QtCore.QSize) -> None:
        """Turn as the size of the panel wants it; nothing happens if it stands right."""
        upright = panel.width() < _NARROW and panel.height() > 0.9 * panel.width()
        wanted = Qt.Orientation.Vertical if upright else Qt.Orientation.Horizontal
        if self.orientation() != wanted:
            self.setOrientation(wanted)
            self.setSizes(list(self._parts[wanted]))
