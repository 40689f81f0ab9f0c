"""The plot as a picture in a file."""

from __future__ import annotations

from pathlib import Path

from eclips_app.core.errors import EclipsError
from eclips_app.gui.qt import QtCore, QtGui, QtSvg
from eclips_app.gui.widgets.profile_plot import ProfilePlot


def write_plot(plot: ProfilePlot, path: Path) -> None:
    """Write the plot as PNG or SVG, as the suffix says, whole or not at all.

    Raises
    ------
    EclipsError
        If it cannot be written.
    """
    from eclips_app.io.atomic import whole_file  # late: only for writing

    draw = _draw_svg if path.suffix.lower() == ".svg" else _draw_png
    with whole_file(path) as temporary:
        if not draw(plot, temporary):
            raise EclipsError("the picture could not be written", where=str(path), hint="Choose .png or .svg.")


def _draw_png(plot: ProfilePlot, path: Path, scale: float = 3.0) -> bool:
    image = QtGui.QImage(plot.size() * scale, QtGui.QImage.Format.Format_RGB32)
    image.fill(plot.backgroundBrush().color())
    painter = QtGui.QPainter(image)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    plot.render(painter)
    painter.end()
    return image.save(str(path))


def _draw_svg(plot: ProfilePlot, path: Path) -> bool:
    target = QtSvg.QSvgGenerator()
    target.setFileName(str(path))
    target.setSize(plot.size())
    target.setViewBox(QtCore.QRect(QtCore.QPoint(0, 0), plot.size()))
    target.setTitle("Height profile")
    painter = QtGui.QPainter()
    if not painter.begin(target):
        return False
    plot.render(painter)
    painter.end()
    return True
