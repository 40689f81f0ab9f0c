"""Two segments over each other, to judge their registration: blinking, or as red and cyan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg

from eclips_app.gui.panels.images.presenter import Levels, shift_of
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.image_pane import ImagePane
from eclips_app.model.items import SegmentSet

_BLINK_MS = 500


class CompareView(QtWidgets.QWidget):
    """Shows images A and B of a set in the common frame: one at a time, or one in red and the other in cyan."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._set: SegmentSet | None = None
        self._levels: tuple[Levels, ...] = ()
        self.pane = ImagePane(theme)
        self.pane.setAccessibleName("Two segments over each other")
        self._second = pg.ImageItem(axisOrder="row-major")
        self._second.setZValue(2)
        self.pane.box.addItem(self._second, ignoreBounds=True)
        self.first, self.second, self.mode = QtWidgets.QComboBox(), QtWidgets.QComboBox(), QtWidgets.QComboBox()
        self.mode.addItems(["Blink", "Red and cyan"])
        self.shifted = QtWidgets.QCheckBox("Registered")
        self.shifted.setChecked(True)
        self.shifted.setToolTip("Show the images moved by their shifts, or as they were read")
        for box, name in (
            (self.first, "First segment"),
            (self.second, "Second segment"),
            (self.mode, "Way to compare"),
        ):
            box.setAccessibleName(name)
            box.setToolTip(name)
            box.setMinimumWidth(60)  # names may be long, the window small
            box.currentIndexChanged.connect(self._draw)
        self.shifted.toggled.connect(self._draw)
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(_BLINK_MS)
        self._timer.timeout.connect(self._blink)
        self._settle = QtCore.QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.timeout.connect(self.pane.fit)
        row = QtWidgets.QHBoxLayout()
        for widget in (self.first, QtWidgets.QLabel("over"), self.second, self.mode, self.shifted):
            row.addWidget(widget)
        row.addStretch(1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.pane, 1)

    def show_set(self, segment_set: SegmentSet, names: list[str], levels: tuple[Levels, ...]) -> None:
        """Offer the images of a set."""
        fresh = self._set is None or self._set.shape != segment_set.shape
        self._set, self._levels = segment_set, levels
        if names != [self.first.itemText(i) for i in range(self.first.count())]:
            for box, index in ((self.first, 0), (self.second, len(names) // 2)):
                box.blockSignals(True)
                box.clear()
                box.addItems(names)
                box.setCurrentIndex(index)
                box.blockSignals(False)
        self._draw()
        if fresh:
            self.pane.fit()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Begin to blink."""
        self._draw()
        self._settle.start()

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        """Stop blinking."""
        self._timer.stop()

    def _draw(self) -> None:
        if self._set is None or self.first.currentIndex() < 0:
            return
        colored = self.mode.currentIndex() == 1
        a, b = self.first.currentIndex(), self.second.currentIndex()
        origin = self._origin(a)
        size = self._set.pixel_size_nm
        self.pane.set_image(self._set.images[a].data, pixel_size_nm=size, origin_px=origin, levels=self._of(a))
        self.pane.image.setLookupTable(_ink(255, 0, 0) if colored else None)
        self._second.setImage(self._set.images[b].data, autoLevels=False, levels=self._of(b))
        self._second.setLookupTable(_ink(0, 255, 255) if colored else None)
        mode = QtGui.QPainter.CompositionMode
        self._second.setCompositionMode(mode.CompositionMode_Plus if colored else mode.CompositionMode_SourceOver)
        rows, columns = self._set.shape
        top, left = self._origin(b)
        self._second.setRect(QtCore.QRectF(left - 0.5, top - 0.5, columns, rows))
        self._second.setVisible(True)
        if colored or not self.isVisible():
            self._timer.stop()
        else:
            self._timer.start()

    def _of(self, index: int) -> Levels | None:
        return self._levels[index] if self._levels else None

    def _origin(self, index: int) -> tuple[float, float]:
        return shift_of(self._set, index) if self._set is not None and self.shifted.isChecked() else (0.0, 0.0)

    def _blink(self) -> None:
        self._second.setVisible(not self._second.isVisible())


def _ink(*color: int) -> Any:
    """Give the table of a colour from black to full."""
    return (np.linspace(0, 1, 256)[:, None] * color).astype(np.uint8)
