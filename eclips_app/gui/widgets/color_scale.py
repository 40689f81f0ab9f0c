"""A strip of colours with the values that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets

_STRIP_PX = 10


class ColorScale(QtWidgets.QWidget):
    """Shows a colour map from left to right, and words below it at parts of its length."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._colormap = "CET-D1A"
        self._marks: tuple[tuple[float, str], ...] = ()
        self._name = name
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)

    def set_scale(self, colormap: str, marks: Sequence[tuple[float, str]]) -> None:
        """Choose the colour map and its marks: (part of the length from 0 to 1, words)."""
        self._colormap, self._marks = colormap, tuple(marks)
        self.setAccessibleName(f"{self._name}: {', '.join(text for _, text in marks)}")
        self.setToolTip(self.accessibleName())
        self.update()

    @property
    def texts(self) -> tuple[str, ...]:
        """The words along the strip."""
        return tuple(text for _, text in self._marks)

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a line of text and the strip."""
        return QtCore.QSize(140, _STRIP_PX + self.fontMetrics().height() + 5)

    def minimumSizeHint(self) -> QtCore.QSize:
        """Get along with little width."""
        return QtCore.QSize(110, self.sizeHint().height())

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Paint strip, ticks and words."""
        painter = QtGui.QPainter(self)
        strip = QtCore.QRectF(0.5, 0.5, self.width() - 1.0, _STRIP_PX)
        fill = QtGui.QLinearGradient(strip.topLeft(), strip.topRight())
        table = pg.colormap.get(self._colormap).getLookupTable(nPts=33)
        for i, rgb in enumerate(table):
            fill.setColorAt(i / (len(table) - 1), QtGui.QColor(*(int(v) for v in rgb[:3])))
        ink = self.palette().color(QtGui.QPalette.ColorRole.WindowText)
        painter.setPen(QtGui.QPen(ink, 1))
        painter.setBrush(fill)
        painter.drawRect(strip)
        taken: list[QtCore.QRectF] = []
        for part, text in sorted(
            self._marks, key=lambda mark: abs(mark[0] - 0.5), reverse=True
        ):  # the ends are told first
            x = strip.left() + part * strip.width()
            painter.drawLine(QtCore.QPointF(x, strip.bottom()), QtCore.QPointF(x, strip.bottom() + 3))
            place = self._place(x, strip.bottom() + 3, text)
            if not any(place.intersects(other) for other in taken):
                painter.drawText(place, Qt.AlignmentFlag.AlignHCenter, text)
                taken.append(place.adjusted(-2, 0, 2, 0))
        painter.end()

    def _place(self, x: float, top: float, text: str) -> QtCore.QRectF:
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(text) + 2.0
        return QtCore.QRectF(min(max(x - width / 2, 0.0), self.width() - width), top, width, metrics.height())
