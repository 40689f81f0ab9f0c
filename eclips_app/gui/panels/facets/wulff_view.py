"""A convex body seen from any side."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.crystal import hkl_text
from eclips_app.core.steps import StepResult
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.theme import Theme

Floats = NDArray[np.floating]

_DEG_PER_PX = 0.5
_KEY_DEG = 10.0
_LABEL_PART = 0.85  #: of a face's width that its label may take
_LEAST_FACING = 0.35  #: cosine of the angle at which a face with a label is seen at most


class WulffView(QtWidgets.QWidget):
    """The faces in the colours of their families; drag or the arrow keys turn the body."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._faces: list[tuple[Floats, Floats, str, int]] = []  # corners, normal, name, number of the family
        self.azimuth_deg, self.tilt_deg = 20.0, 60.0
        self._pressed: QtCore.QPointF | None = None
        self.setMinimumSize(160, 140)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Wulff shape")
        self.setToolTip("Drag, or press the arrow keys, to turn the shape")
        theme.changed.connect(self.update)

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a square."""
        return QtCore.QSize(240, 200)

    def show_shape(self, shape: StepResult | None) -> None:
        """Show what the step "wulff" gave, or nothing."""
        self._faces = []
        if shape is not None:
            vertices, ends = shape.arrays["vertices"], np.cumsum(shape.arrays["counts"])[:-1]
            families: dict[tuple[int, ...], int] = {}
            corners = np.split(shape.arrays["corners"], ends)
            for face, normal, hkl in zip(corners, shape.arrays["normals"], shape.arrays["hkl"], strict=True):
                key = tuple(sorted(abs(int(i)) for i in hkl))
                name = hkl_text((int(hkl[0]), int(hkl[1]), int(hkl[2])), "()")
                self._faces.append((vertices[face], normal, name, families.setdefault(key, len(families))))
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the faces that look towards the viewer; a convex body needs no more."""
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        turn, scale = self._turn(), 0.46 * min(self.width(), self.height())
        for corners, normal, name, family in self._faces:
            facing = float((turn @ normal)[2])
            if facing <= 1e-6:
                continue
            flat = (turn @ corners.T).T * scale
            points = [QtCore.QPointF(self.width() / 2 + float(x), self.height() / 2 - float(y)) for x, y, _ in flat]
            curves = self._theme.colors.curves
            ink = QtGui.QColor(curves[family % len(curves)])
            painter.setBrush(ink.darker(round(100 + 90 * (1 - facing))))
            painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.colors.window), 1.5))
            painter.drawPolygon(QtGui.QPolygonF(points))
            if (
                painter.fontMetrics().horizontalAdvance(name) < _LABEL_PART * np.ptp(flat[:, 0])
                and facing > _LEAST_FACING
            ):
                painter.setPen(QtGui.QColor(self._theme.colors.on_accent))
                middle = sum(points, QtCore.QPointF()) / len(points)
                box = QtCore.QRectF(middle.x() - 40, middle.y() - 9, 80, 18)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)
        if self.hasFocus():
            painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.colors.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Begin to turn."""
        self._pressed = event.position()

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Turn."""
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = event.position() - self._pressed
            self._pressed = event.position()
            self._turn_by(_DEG_PER_PX * moved.x(), -_DEG_PER_PX * moved.y())

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Turn by the arrow keys."""
        key = Qt.Key
        turns = {key.Key_Left: (-1, 0), key.Key_Right: (1, 0), key.Key_Up: (0, 1), key.Key_Down: (0, -1)}
        if event.key() in turns:
            across, down = turns[Qt.Key(event.key())]
            self._turn_by(_KEY_DEG * across, _KEY_DEG * down)
        else:
            super().keyPressEvent(event)

    def _turn_by(self, azimuth_deg: float, tilt_deg: float) -> None:
        self.azimuth_deg = (self.azimuth_deg + azimuth_deg) % 360.0
        self.tilt_deg = min(max(self.tilt_deg - tilt_deg, 0.0), 180.0)
        self.update()

    def _turn(self) -> Floats:
        """Give the rotation to the screen's frame (right, up, towards the viewer)."""
        a, t = math.radians(self.azimuth_deg), math.radians(self.tilt_deg)
        about_z = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
        about_x = np.array([[1, 0, 0], [0, math.cos(t), math.sin(t)], [0, -math.sin(t), math.cos(t)]])
        return np.asarray(about_x @ about_z)
