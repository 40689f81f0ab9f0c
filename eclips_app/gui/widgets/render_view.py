"""The 3D view with mouse and keys; `surface_canvas` does the drawing."""

from __future__ import annotations

import numpy as np

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.widgets.render_overlays import ColorScale
from eclips_app.gui.widgets.surface_canvas import SurfaceCanvas
from eclips_app.scene3d.camera import Camera
from eclips_app.scene3d.pick import Hit

_ORBIT_DEG_PER_PX = 0.4
_KEY_DEG = 5.0
_ZOOM_STEP = 0.85
_PRESET_KEYS = {
    Qt.Key.Key_1: "top", Qt.Key.Key_2: "front", Qt.Key.Key_3: "right", Qt.Key.Key_4: "isometric",
}  # fmt: skip
_ARROWS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}
_KEYS_HELP = "Arrows turn, Shift and arrows move, plus and minus zoom, 1 to 4 choose a view, R shows all."


class RenderView(SurfaceCanvas):
    """Shows one height map; turn with the left button, move with the middle one or Shift, zoom with wheel or right button.

    `picked` and `hovered` carry col, row (pixels of the height map) and z in nm; `hovered` NaN beside the surface.
    """

    picked = Signal(float, float, float)
    hovered = Signal(float, float, float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("3D surface")
        self.setAccessibleDescription(_KEYS_HELP)
        self._drag_from: QtCore.QPointF | None = None

    def reset(self) -> None:
        """Go back to the first view."""
        self.scene.camera = Camera(projection=self.camera.projection)
        self.fit()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """Begin a drag."""
        self._drag_from = event.position()

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """End a drag."""
        self._drag_from = None

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """Orbit, pan or zoom while a button is down; else tell what is under the mouse."""
        if self._drag_from is None or not event.buttons():
            hit = self._pick_at(event.position())
            self.hovered.emit(*((hit.col, hit.row, hit.z_nm) if hit else (np.nan,) * 3))
            return
        moved = event.position() - self._drag_from
        self._drag_from = event.position()
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.buttons() & Qt.MouseButton.MiddleButton or (event.buttons() & Qt.MouseButton.LeftButton and shifted):
            self._pan(moved.x(), moved.y())
        elif event.buttons() & Qt.MouseButton.LeftButton:
            self.set_camera(self.camera.orbited(-_ORBIT_DEG_PER_PX * moved.x(), _ORBIT_DEG_PER_PX * moved.y()))
        elif event.buttons() & Qt.MouseButton.RightButton:
            self.set_camera(self.camera.zoomed(float(np.exp(0.01 * moved.y()))))

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        """Pick the point under the mouse."""
        self._hit = self._pick_at(event.position())
        if self._hit is not None:
            self.picked.emit(self._hit.col, self._hit.row, self._hit.z_nm)
        self.update()

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        """Zoom about the mouse."""
        self._zoom(_ZOOM_STEP ** (event.angleDelta().y() / 120.0), event.position())
        event.accept()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Do with keys what the mouse does."""
        key = event.key()
        if key in _ARROWS:
            right, up = _ARROWS[Qt.Key(key)]
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._pan(-0.05 * self.width() * right, 0.05 * self.width() * up)
            else:
                self.set_camera(self.camera.orbited(_KEY_DEG * right, _KEY_DEG * up))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            middle = QtCore.QPointF(self.width() / 2, self.height() / 2)
            self._zoom(1 / _ZOOM_STEP if key == Qt.Key.Key_Minus else _ZOOM_STEP, middle)
        elif key in _PRESET_KEYS:
            self.look(_PRESET_KEYS[Qt.Key(key)])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_R):
            self.reset()
        elif key == Qt.Key.Key_Escape and self._hit is not None:
            self._hit = None
            self.update()
        else:
            event.ignore()

    def focusInEvent(self, event: QtGui.QFocusEvent) -> None:
        """Show the frame of the focus."""
        self.update()

    def focusOutEvent(self, event: QtGui.QFocusEvent) -> None:
        """Hide the frame of the focus."""
        self.update()

    def _pan(self, right_px: float, down_px: float) -> None:
        size = self.camera.view_height_nm / self.height()
        self.set_camera(self.camera.panned(-right_px * size, down_px * size, self.scene.exaggeration))

    def _zoom(self, factor: float, at: QtCore.QPointF) -> None:
        self.scene.zoom_at(factor, at.x() * self._ratio, at.y() * self._ratio)
        self.set_camera(self.scene.camera)

    def _pick_at(self, position: QtCore.QPointF) -> Hit | None:
        return self.scene.pick(position.x() * self._ratio, position.y() * self._ratio)


__all__ = ["ColorScale", "RenderView"]
