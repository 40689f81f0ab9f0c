"""A 3D view of a height map that VTK draws off screen and Qt paints, so that it works on every platform Qt does.

While it moves, the mesh is as coarse as `MOVING_BUDGET_S` asks; 200 ms after rest it becomes finer step by step as far as a
frame is predicted to stay within `STILL_BUDGET_S` (`scene3d.lod`), which bounds the stall in software rendering.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.widgets import render_overlays as overlays
from eclips_app.gui.widgets.background import Background
from eclips_app.scene3d import arrays, colormaps, hatching
from eclips_app.scene3d.camera import Camera
from eclips_app.scene3d.lighting import Lighting
from eclips_app.scene3d.lod import REST_S, LevelOfDetail
from eclips_app.scene3d.pick import Hit
from eclips_app.scene3d.scene import DrapedLine, Scene

_LINE_PX = 2.0  #: width of lines on the surface
_STRIPES = 70  #: about this many stripes of hatching run across the height map
_PREVIEW_PX = 256  #: the first picture's textures have about this many pixels an edge


#: What the first picture needs: height map, mesh and slopes.
_Coarse = tuple[arrays.HeightField, arrays.Mesh, NDArray[np.float32]]


class SurfaceCanvas(QtWidgets.QWidget):
    """Draws one height map and what belongs to it; `RenderView` adds mouse and keys."""

    camera_changed = Signal()
    exaggeration_changed = Signal(float)  #: chosen by the view itself

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self._scene: Scene | None = Scene()
        self._background = Background(self)
        self._lod = LevelOfDetail((2, 2))
        self._stride = 1
        self._height: NDArray[np.floating] | None = None
        self._coloring: tuple[NDArray[Any] | None, overlays.ColorScale] = (
            None,
            overlays.ColorScale("Height", "viridis", 0.0, 1.0, "nm"),
        )
        self._flags: NDArray[np.uint8] | None = None
        self._hit: Hit | None = None
        self._fit_pending = self._exaggeration_pending = False
        self._dirty = True
        self._is_fresh = True  #: the next frame uploads something and tells nothing about the following ones
        self._moving = False
        self.slowest_render_s = 0.0  #: longest call of the renderer so far, which nothing can interrupt
        self._image = QtGui.QImage()
        self._pixels: NDArray[np.uint8] | None = None
        self._rest = QtCore.QTimer(self, singleShot=True, interval=round(1e3 * REST_S))
        self._rest.timeout.connect(self._on_rest)
        self._next = QtCore.QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._refine)
        app = QtWidgets.QApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.release)

    # What is shown

    @property
    def scene(self) -> Scene:
        """The scene; gone after `release`."""
        assert self._scene is not None, "the view was closed"
        return self._scene

    @property
    def field(self) -> arrays.HeightField | None:
        """The height map that is drawn."""
        return self.scene.field

    @property
    def is_settled(self) -> bool:
        """Whether the picture is as fine as it gets and nothing more is on its way."""
        waiting = self._rest.isActive() or self._next.isActive() or self._background.is_busy
        return not (waiting or self._dirty or self._moving)

    @property
    def is_dirty(self) -> bool:
        """Whether the picture on screen is older than what is to be shown."""
        return self._dirty

    @property
    def stride(self) -> int:
        """Stride in pixels of the mesh drawn now."""
        return self._stride

    def set_height(
        self,
        height: NDArray[np.floating] | None,
        pixel_size_nm: float | tuple[float, float] = 1.0,
        valid: NDArray[np.bool_] | None = None,
        *,
        keep_camera: bool = False,
    ) -> None:
        """Show a height map [row, col] in nm, or nothing. The first, coarse picture comes within some 50 ms.

        Colours are those of the last `set_colors`, which may be called right after.
        """
        self._background.drop()
        self._hit, self._height = None, height
        if height is None:
            self.scene.set_field(None)
            self._redraw()
            return
        self._fit_pending = not keep_camera or self.field is None

        def prepare() -> _Coarse:
            field = arrays.height_field(height, pixel_size_nm, valid)
            return (
                field,
                arrays.mesh(field, LevelOfDetail(field.shape).first),
                arrays.coarse_slopes(field, _PREVIEW_PX),
            )

        self._background.run(prepare, self._show_first)
        self._color()

    def set_colors(self, values: NDArray[Any] | None, scale: overlays.ColorScale) -> None:
        """Colour the surface by an image of the height map's shape; None: by height."""
        self._coloring = (values, scale)
        self._color()
        self.update()

    def set_flags(self, flags: NDArray[np.uint8] | None) -> None:
        """Hatch the surface where flags (of the height map's shape) are set; drawn with the next `set_colors`."""
        self._flags = flags

    @property
    def color_scale(self) -> overlays.ColorScale:
        """What the colours mean."""
        return self._coloring[1]

    def set_exaggeration(self, factor: float) -> None:
        """Draw heights larger by this factor."""
        self.scene.set_exaggeration(factor)
        self._moved()

    def choose_exaggeration(self) -> None:
        """Draw heights so much larger that the relief shows (`Scene.auto_exaggeration`), now or when the map is there."""
        if self._background.is_busy:
            self._exaggeration_pending = True
            return
        self._exaggeration_pending = False
        self.set_exaggeration(self.scene.auto_exaggeration())
        self.exaggeration_changed.emit(self.scene.exaggeration)

    def set_lighting(self, lighting: Lighting) -> None:
        """Change the lights."""
        self.scene.set_lighting(lighting)
        self._moved()

    def set_lines(self, lines: Sequence[DrapedLine]) -> None:
        """Lay lines over the surface."""
        self.scene.set_lines(lines)
        self._moved()

    @property
    def camera(self) -> Camera:
        """Where the surface is looked at from."""
        return self.scene.camera

    def set_camera(self, camera: Camera) -> None:
        """Look from elsewhere."""
        self.scene.camera = camera
        self._fit_pending = False
        self._moved()
        self.camera_changed.emit()

    def look(self, preset: str) -> None:
        """Look from one of `scene3d.camera.PRESETS` and show all."""
        self.scene.look(preset)
        self.fit()

    def fit(self) -> None:
        """Show all of the surface from where the eye stands."""
        self._fit_scene()
        self.set_camera(self.scene.camera)

    def _fit_scene(self) -> None:
        self.scene.fit(overlays.RIGHT_PX * self._ratio, overlays.BOTTOM_PX * self._ratio)

    def warm_up(self) -> None:
        """Let the driver do its first work, some 100 ms, while there is nothing to show: the first picture comes sooner."""
        if self.field is None:
            self.scene.warm_up()

    def picture(self, scale: float = 2.0) -> QtGui.QImage:
        """Draw the view with everything on it, `scale` device pixels for each of the widget's."""
        before = (self.scene.width, self.scene.height)
        self._set_scene_size(round(self.width() * scale), round(self.height() * scale))
        try:
            pixels = np.ascontiguousarray(self.scene.render())
            image = _image(pixels).copy()
            painter = QtGui.QPainter(image)
            painter.setFont(self.font())
            painter.scale(scale, scale)
            self._draw_overlays(painter)
            painter.end()
        finally:
            self._set_scene_size(*before)
        return image

    def release(self) -> None:
        """Give back what the graphics driver holds; the view cannot draw afterwards."""
        self._rest.stop()
        self._next.stop()
        self._background.stop()
        if self._scene is not None:
            self._scene.close()
            self._scene = None

    # Level of detail

    def _show_first(self, coarse: _Coarse) -> None:
        scene, (field, mesh, slopes) = self.scene, coarse
        self._lod = LevelOfDetail(field.shape)
        scene.set_field(field)
        scene.surface.add_mesh(mesh)
        self._is_fresh = True
        scene.surface.set_slopes(slopes)
        if self._exaggeration_pending:
            self._exaggeration_pending = False
            scene.set_exaggeration(scene.auto_exaggeration())
            self.exaggeration_changed.emit(scene.exaggeration)
        if self._fit_pending:
            self._fit_scene()
            self._fit_pending = False
            self.camera_changed.emit()
        self._moved()
        self._background.run(lambda: arrays.slopes(field), self._set_slopes)

    def _set_slopes(self, slopes: NDArray[np.float32]) -> None:
        self.scene.surface.set_slopes(slopes)
        self._is_fresh = True
        self._redraw()

    def _color(self) -> None:
        """Colour coarsely at once, then fully."""
        values, scale = self._coloring
        shown = self._height if values is None else values
        if shown is None:
            return

        flags = self._flags if self._flags is not None and self._flags.shape == shown.shape else None
        period = max(hatching.PERIOD_PX, max(shown.shape) // _STRIPES)

        def work(step: int) -> NDArray[np.uint8]:
            rgb = colormaps.colorize(shown[::step, ::step], scale.colormap, scale.low, scale.high)
            return rgb if flags is None else hatching.lay_over(rgb, flags[::step, ::step], max(4, period // step))

        step = max(shown.shape) // _PREVIEW_PX
        if step > 1:
            self._background.run(lambda: work(step), self._set_colors)
        self._background.run(lambda: work(1), self._set_colors)

    def _set_colors(self, rgb: NDArray[np.uint8]) -> None:
        self.scene.surface.set_colors(rgb)
        self._is_fresh = True
        self._redraw()

    def _show(self, stride: int) -> None:
        self.scene.surface.show(stride)
        self._stride = stride

    def _moved(self) -> None:
        """Draw soon and coarsely; finely after a rest."""
        self._moving = True
        wanted = self._lod.moving()
        strides = sorted(self.scene.surface.strides)
        if strides:
            self._show(min((s for s in strides if s >= wanted), default=strides[-1]))
            if wanted > strides[-1]:
                self._build(wanted)
        self._redraw()

    def _redraw(self) -> None:
        self._dirty = True
        self._rest.start()
        self.update()

    def _on_rest(self) -> None:
        self._moving = False
        full_width = round(self.width() * self.devicePixelRatioF())
        if self._scene is not None and self._scene.width != full_width:
            self._dirty = True
            self.update()
        self._refine()

    def _refine(self) -> None:
        """Go to the next finer mesh that is predicted to draw within the budget."""
        if self._moving or self._scene is None or not self._scene.surface.strides or not self.isVisible():
            return
        if not self._lod.is_known(self._stride):
            self._dirty = True
            self.update()
            return
        finer = self._lod.finer(self._stride)
        if finer == self._stride:
            return
        if finer not in self._scene.surface.strides:
            self._build(finer)
            return
        self._show(finer)
        self._dirty = True
        self.update()

    def _build(self, stride: int) -> None:
        field = self.field
        if field is not None:
            self._background.run(lambda: arrays.mesh(field, stride), self._add_mesh)

    def _add_mesh(self, mesh: arrays.Mesh) -> None:
        self.scene.surface.add_mesh(mesh)
        self._is_fresh = True
        self._refine()

    # Painting

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the scene if it changed, then the overlays."""
        painter = QtGui.QPainter(self)
        if self._scene is None:
            painter.fillRect(self.rect(), self.palette().base())
            return
        if self._dirty:
            self._render()
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QtCore.QRectF(self.rect()), self._image)
        self._draw_overlays(painter)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QtGui.QPen(self.palette().highlight().color(), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _render(self) -> None:
        divisor = self._lod.divisor() if self._moving else 1
        self._resize_scene(divisor)
        base = self.palette().base().color()
        self.scene.set_background((base.redF(), base.greenF(), base.blueF()))
        start = time.perf_counter()
        self._pixels = np.ascontiguousarray(self.scene.render())
        seconds = time.perf_counter() - start
        self.slowest_render_s = max(self.slowest_render_s, seconds)
        if self._is_fresh:
            self._is_fresh = False
        else:
            self._lod.record(self._stride, seconds, divisor)
        self._image = _image(self._pixels)
        self._dirty = False
        if not self._rest.isActive() and not self._moving:
            self._next.start()

    @property
    def _ratio(self) -> float:
        """The scene's pixels in one of the widget's."""
        return self.scene.width / max(self.width(), 1)

    def _resize_scene(self, divisor: int) -> None:
        ratio = self.devicePixelRatioF() / divisor
        self._set_scene_size(round(self.width() * ratio), round(self.height() * ratio))

    def _set_scene_size(self, width: int, height: int) -> None:
        if (width, height) != (self.scene.width, self.scene.height):
            self.scene.resize(width, height)
        self.scene.set_line_width(max(1.0, _LINE_PX * self._ratio))

    def _draw_overlays(self, painter: QtGui.QPainter) -> None:
        if self.field is not None:
            overlays.draw_all(painter, self.scene, self.size(), self.color_scale, self._hit, self.palette())

    # Events

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Draw at the new size in device pixels."""
        if self._scene is not None:
            self._resize_scene(1)
            self._lod.forget()
            self._redraw()

    def changeEvent(self, event: QtCore.QEvent) -> None:
        """Take over the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QtCore.QEvent.Type.PaletteChange and self._scene is not None:
            self._redraw()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        """Give back the graphics."""
        self.release()
        super().closeEvent(event)


def _image(pixels: NDArray[np.uint8]) -> QtGui.QImage:
    """Wrap a picture [row, col, 4] without copying; it must outlive the image."""
    rows, columns, _ = pixels.shape
    return QtGui.QImage(pixels.data, columns, rows, 4 * columns, QtGui.QImage.Format.Format_RGBX8888)
