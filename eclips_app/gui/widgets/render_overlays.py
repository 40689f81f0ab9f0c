"""What is drawn over a 3D picture with the window's own fonts: scale bar, colour bar, axes, exaggeration, picked point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eclips_app.core.units import format_length, length_unit, nice_step
from eclips_app.gui.qt import Qt, QtCore, QtGui
from eclips_app.scene3d import colormaps
from eclips_app.scene3d.pick import Hit

if TYPE_CHECKING:
    from eclips_app.scene3d.scene import Scene

_MARGIN = 14.0
RIGHT_PX = 92.0  #: breadth of the column at the right that holds colour bar and axes
BOTTOM_PX = 44.0  #: height of the strip below that holds the scale bar
_AXES_PX = 84.0
_BAR_PART = 0.22  #: the scale bar is at most this part of the picture's width


@dataclass(frozen=True)
class ColorScale:
    """What the colours mean. Values in nm are labelled in the unit of length that suits them."""

    label: str
    colormap: str
    low: float
    high: float
    unit: str = ""


def draw_all(
    painter: QtGui.QPainter,
    scene: Scene,
    widget_size: QtCore.QSize,
    scale: ColorScale,
    hit: Hit | None,
    palette: QtGui.QPalette,
) -> None:
    """Draw everything over a scene's picture; the painter counts in the widget's pixels."""
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    ink, size, camera = palette.text().color(), QtCore.QSizeF(widget_size), scene.camera
    if camera.projection == "parallel":
        draw_scale_bar(painter, size, camera.view_height_nm / size.height(), ink)
    right, up, eye = camera.axes()
    axes = [(name, float(right[i]), float(up[i]), float(eye[i])) for i, name in enumerate("xyz")]
    draw_axes(painter, size, axes, ink, palette.base().color().lightness() < 128)
    draw_color_bar(painter, size, scale, ink)
    draw_exaggeration(painter, size, scene.exaggeration, ink)
    if hit is not None:
        x, y = scene.project(hit.col, hit.row, hit.z_nm)
        at = QtCore.QPointF(x, y) * (size.width() / scene.width)
        draw_pick(painter, at, format_length(hit.z_nm), size)


def draw_scale_bar(painter: QtGui.QPainter, size: QtCore.QSizeF, nm_per_pixel: float, ink: QtGui.QColor) -> None:
    """Draw a bar of a 1-2-5 length at the lower left; true for lengths across the line of sight in parallel projection."""
    length = nice_step(nm_per_pixel * size.width() * _BAR_PART)
    text = format_length(length)
    left, bottom = _MARGIN, size.height() - _MARGIN
    bar = QtCore.QRectF(left, bottom - 5, length / nm_per_pixel, 5)
    painter.fillRect(bar, ink)
    _text(painter, QtCore.QPointF(left, bar.top() - 6), text, ink)


def draw_axes(
    painter: QtGui.QPainter,
    size: QtCore.QSizeF,
    axes: list[tuple[str, float, float, float]],
    ink: QtGui.QColor,
    dark: bool,
) -> None:
    """Draw a triad at the lower right.

    `axes` holds name, part to the right, part upward and part toward the eye of each unit vector.
    """
    length = 26.0
    origin = QtCore.QPointF(size.width() - RIGHT_PX / 2, size.height() - _MARGIN - _AXES_PX / 2)
    colors = (
        {"x": "#ff8a70", "y": "#7bd88f", "z": "#7fb2ff"} if dark else {"x": "#b5301c", "y": "#1d7a37", "z": "#1f5fbf"}
    )
    for name, right, up, _ in sorted(axes, key=lambda axis: axis[3]):
        tip = origin + QtCore.QPointF(right * length, -up * length)
        reach = math.hypot(right, up)
        painter.setPen(QtGui.QPen(QtGui.QColor(colors[name]), 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(origin, tip)
        if reach > 0.15:  # an axis along the line of sight has no room for its name
            away = QtCore.QPointF(right, -up) * (9.0 / reach)
            box = QtCore.QRectF(0, 0, 16, 16)
            box.moveCenter(tip + away)
            painter.setPen(ink)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)


def color_ticks(scale: ColorScale) -> tuple[str, list[tuple[float, str]]]:
    """Give the title of a colour bar, with its unit, and (value, text) of its ticks at 1-2-5 steps."""
    unit, factor = length_unit(max(abs(scale.low), abs(scale.high))) if scale.unit == "nm" else (scale.unit, 1.0)
    title = f"{scale.label} / {unit}" if unit else scale.label
    span = scale.high - scale.low
    if not span > 0:
        return title, []
    step = nice_step(span / 3.5)
    first, last = math.ceil(scale.low / step - 1e-6), math.floor(scale.high / step + 1e-6)
    digits = max(0, -math.floor(math.log10(step / factor) + 1e-9))
    values = [k * step for k in range(first, last + 1)]
    return title, [(v, f"{v / factor + 0.0:.{digits}f}") for v in values]


def draw_color_bar(painter: QtGui.QPainter, size: QtCore.QSizeF, scale: ColorScale, ink: QtGui.QColor) -> None:
    """Draw the colour bar with title and ticks at the right edge; nothing if the picture is too low for it."""
    metrics = painter.fontMetrics()
    height = min(220.0, size.height() - 2 * _MARGIN - 4.0 * metrics.height() - _AXES_PX)
    if height < 3 * metrics.height():
        return
    title, ticks = color_ticks(scale)
    label_width = max((metrics.horizontalAdvance(text) for _, text in ticks), default=0)
    bar = QtCore.QRectF(0, 0, 14, height)
    bar.moveTopRight(QtCore.QPointF(size.width() - _MARGIN - label_width - 10, _MARGIN + 3.2 * metrics.height()))
    gradient = QtGui.QLinearGradient(bar.bottomLeft(), bar.topLeft())
    for i, (r, g, b) in enumerate(colormaps.table(scale.colormap)[::5].tolist()):
        gradient.setColorAt(i / 51, QtGui.QColor(r, g, b))
    painter.fillRect(bar, gradient)
    painter.setPen(QtGui.QPen(ink, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(bar)
    for value, text in ticks:
        y = bar.bottom() - bar.height() * (value - scale.low) / (scale.high - scale.low)
        painter.drawLine(QtCore.QPointF(bar.right(), y), QtCore.QPointF(bar.right() + 4, y))
        painter.drawText(QtCore.QPointF(bar.right() + 8, y + metrics.ascent() / 2 - 1), text)
    right = size.width() - _MARGIN
    title_box = QtCore.QRectF(right - 300, bar.top() - 1.5 * metrics.height(), 300, 1.2 * metrics.height())
    painter.drawText(title_box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, title)


def draw_exaggeration(painter: QtGui.QPainter, size: QtCore.QSizeF, factor: float, ink: QtGui.QColor) -> None:
    """Write how much larger heights are drawn, at the upper right."""
    text = f"z ×{factor:.3g}"
    _text(
        painter,
        QtCore.QPointF(size.width() - _MARGIN - painter.fontMetrics().horizontalAdvance(text), _MARGIN + 10),
        text,
        ink,
    )


def draw_pick(painter: QtGui.QPainter, at: QtCore.QPointF, text: str, size: QtCore.QSizeF) -> None:
    """Mark a picked point with a ring and a label that stays inside the picture."""
    for color, width in (("#000000", 4), ("#ffffff", 2)):
        painter.setPen(QtGui.QPen(QtGui.QColor(color), width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(at, 5, 5)
    metrics = painter.fontMetrics()
    box = QtCore.QRectF(0, 0, metrics.horizontalAdvance(text) + 12, metrics.height() + 6)
    box.moveBottomLeft(at + QtCore.QPointF(10, -8))
    box.moveLeft(max(4.0, min(box.left(), size.width() - box.width() - 4)))
    box.moveTop(max(4.0, min(box.top(), size.height() - box.height() - 4)))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QtGui.QColor(0, 0, 0, 190))
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(QtGui.QColor("white"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def _text(painter: QtGui.QPainter, at: QtCore.QPointF, text: str, ink: QtGui.QColor) -> None:
    painter.setPen(ink)
    painter.drawText(at, text)
