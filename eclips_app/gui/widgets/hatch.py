"""Hatching of doubtful areas over an image on the screen, and its legend."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.deviations import FLAGS
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets, Signal
from eclips_app.scene3d.hatching import STRIPES, hatch

_SWATCH_PX = 14


class HatchOverlay:
    """Stripes of the screen's size over the flagged areas of an image; made anew only when the view changes."""

    def __init__(self) -> None:
        self._flags: NDArray[np.uint8] | None = None
        self._origin = (0, 0)
        self._made: tuple[object, ...] = ()
        self._image = QtGui.QImage()
        self._pixels = np.zeros((0, 0, 4), np.uint8)

    def set_flags(self, flags: NDArray[np.uint8] | None, origin_px: tuple[int, int] = (0, 0)) -> None:
        """Hatch where these flags [row, col] are set; `origin_px` is the (row, column) of the first in the image."""
        self._flags, self._origin = flags, origin_px
        self._made = ()

    def paint(self, painter: QtGui.QPainter, to_screen: QtGui.QTransform, size: QtCore.QSize) -> None:
        """Draw the stripes; `to_screen` maps (col, row) of the image to the screen without turning it."""
        if self._flags is None or size.isEmpty():
            return
        view = (to_screen.m11(), to_screen.m22(), to_screen.dx(), to_screen.dy(), size.width(), size.height())
        if view != self._made:
            self._make(self._flags, to_screen, size)
            self._made = view
        painter.drawImage(0, 0, self._image)

    def _make(self, flags: NDArray[np.uint8], to_screen: QtGui.QTransform, size: QtCore.QSize) -> None:
        column = np.rint((np.arange(size.width()) + 0.5 - to_screen.dx()) / to_screen.m11()) - self._origin[1]
        row = np.rint((np.arange(size.height()) + 0.5 - to_screen.dy()) / to_screen.m22()) - self._origin[0]
        rows, columns = flags.shape
        inside = ((row >= 0) & (row < rows))[:, None] & ((column >= 0) & (column < columns))[None]
        at = np.ix_(np.clip(row, 0, rows - 1).astype(np.intp), np.clip(column, 0, columns - 1).astype(np.intp))
        self._pixels = hatch(np.where(inside, flags[at], 0).astype(np.uint8))
        self._image = _image(self._pixels)


class FlagLegend(QtWidgets.QWidget):
    """Turns hatching on and off and says which stripes mean what, in as many lines as it takes; hidden without flags."""

    toggled = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.box = QtWidgets.QCheckBox("Hatch doubtful areas", self)
        self.box.setToolTip("Draw stripes where the height is not to be trusted")
        self.box.setChecked(True)
        self.box.toggled.connect(self.toggled)
        self.entries = {bit: self._entry(bit) for bit in STRIPES}
        policy = QtWidgets.QSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.hide()

    @property
    def is_on(self) -> bool:
        """Whether areas are to be hatched."""
        return self.box.isChecked()

    def show_flags(self, flags: NDArray[np.uint8] | None) -> None:
        """Name the flags that occur in an image."""
        found = int(np.bitwise_or.reduce(flags, axis=None)) if flags is not None else 0
        for bit, entry in self.entries.items():
            entry.setVisible(bool(found & bit))
        self.setVisible(found != 0)
        self.updateGeometry()
        self._flow(self.width(), True)

    def sizeHint(self) -> QtCore.QSize:
        """Ask for one line."""
        return self.box.sizeHint()

    def heightForWidth(self, width: int) -> int:
        """Give the height of as many lines as it takes."""
        return self._flow(width, False)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Break the lines anew."""
        self._flow(event.size().width(), True)

    def _entry(self, bit: int) -> QtWidgets.QLabel:
        entry = QtWidgets.QLabel(self)
        entry.setText(
            f"<img src='data:image/png;base64,{_swatch(bit)}'>&nbsp;{STRIPES[bit].name.replace(' ', '&nbsp;')}"
        )
        entry.setToolTip(FLAGS[bit])
        return entry

    def _flow(self, width: int, move: bool) -> int:
        """Put the parts side by side in lines of this width; gives the height."""
        x, y, line = 0, 0, 0
        for part in (self.box, *(entry for entry in self.entries.values() if not entry.isHidden())):
            hint = part.sizeHint()
            if x > 0 and x + hint.width() > width:
                x, y, line = 0, y + line + 2, 0
            line = max(line, hint.height())
            if move:
                part.setGeometry(x, y, hint.width(), hint.height())
            x += hint.width() + 10
        return y + line


def _swatch(bit: int) -> str:
    pixels = hatch(np.full((_SWATCH_PX, _SWATCH_PX), bit, np.uint8), 8)
    image = QtGui.QImage(_SWATCH_PX, _SWATCH_PX, QtGui.QImage.Format.Format_RGBA8888)
    image.fill(QtGui.QColor("#50687c"))
    painter = QtGui.QPainter(image)
    painter.drawImage(0, 0, _image(pixels))
    painter.end()
    data = QtCore.QBuffer()
    data.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    QtGui.QImageWriter(data, b"png").write(image)
    return base64.b64encode(data.data().data()).decode()


def _image(pixels: NDArray[np.uint8]) -> QtGui.QImage:
    """Wrap stripes without copying; they must outlive the image."""
    rows, columns, _ = pixels.shape
    return QtGui.QImage(pixels.data, columns, rows, 4 * columns, QtGui.QImage.Format.Format_RGBA8888)
