"""The relief with coloured and numbered facets."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg

from eclips_app.gui.panels.facets.presenter import Picture, overlay
from eclips_app.gui.qt import Qt, QtCore, QtGui, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.image_pane import ImagePane, draw_label
from eclips_app.metrology.facets.found import Found


class FacetImage(ImagePane):
    """A click selects the facet under it, with Shift or Ctrl beside the one selected before."""

    facet_clicked = Signal(int, bool)  #: number (0 beside all facets), whether to keep the one before

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Facets")
        self._picture: Picture | None = None
        self._found: Found | None = None
        self._chosen: tuple[int, ...] = ()
        self.overlay = pg.ImageItem(axisOrder="row-major")
        self.overlay.setZValue(2)
        self.box.addItem(self.overlay)
        self.clicked.connect(self._on_clicked)

    def show_picture(self, picture: Picture | None, found: Found | None, chosen: tuple[int, ...]) -> None:
        """Show relief and facets, or nothing."""
        is_other = picture is None or self._picture is None or picture.relief.shape != self._picture.relief.shape
        self._picture, self._found = picture, found
        if picture is None:
            self.set_image(None)
            self.overlay.clear()
            return
        self.set_image(
            picture.relief, pixel_size_nm=picture.pixel_size_nm, origin_px=picture.origin_px, step_px=picture.step_px
        )
        self.show_chosen(chosen)
        if is_other:
            self.fit()

    def show_chosen(self, chosen: tuple[int, ...]) -> None:
        """Show which facets are selected."""
        self._chosen = chosen
        picture, found = self._picture, self._found
        if picture is None or picture.labels is None or found is None:
            self.overlay.clear()
        else:
            self.overlay.setImage(overlay(picture.labels, len(found), chosen), autoLevels=False, levels=(0, 255))
            rows, columns = (n * picture.step_px for n in picture.labels.shape)
            top, left = picture.origin_px
            self.overlay.setRect(QtCore.QRectF(left - 0.5, top - 0.5, columns, rows))
        self.viewport().update()

    def number_at(self, col: float, row: float) -> int:
        """Give the facet at a pixel of the uncropped image; 0 for none."""
        picture = self._picture
        if picture is None or picture.labels is None:
            return 0
        r, c = (round(at) - first for at, first in zip((row, col), picture.origin_px, strict=True))
        r, c = r // picture.step_px, c // picture.step_px
        rows, columns = picture.labels.shape
        return int(picture.labels[r, c]) if 0 <= r < rows and 0 <= c < columns else 0

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the numbers over the image, those of the selected facets last."""
        super().paintEvent(event)
        if self._picture is None or self._found is None:
            return
        painter = QtGui.QPainter(self.viewport())
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        for number in sorted(self._found.numbers, key=lambda n: n in self._chosen):
            spot = self._screen(number)
            if spot is None:
                continue
            text = f"▸{number}" if number in self._chosen else str(number)
            width = painter.fontMetrics().horizontalAdvance(text) + 8
            draw_label(painter, spot - QtCore.QPointF(width / 2, painter.fontMetrics().height() / 2), text)
        painter.end()

    def _screen(self, number: int) -> QtCore.QPointF | None:
        """Give where on the screen a facet's number stands; None where the facet is too small for it."""
        assert self._found is not None
        assert self._picture is not None
        facts = self._found.facts[number]
        shown = float(np.sqrt(facts["pixels"])) / max(float(self.box.viewPixelSize()[0]), 1e-9)
        if shown < 14 and number not in self._chosen:
            return None
        top, left = self._picture.origin_px
        point = self.box.mapViewToScene(QtCore.QPointF(facts["spot_px"][0] + left, facts["spot_px"][1] + top))
        return QtCore.QPointF(self.mapFromScene(point))

    def _on_clicked(self, col: float, row: float) -> None:
        keys = QtGui.QGuiApplication.keyboardModifiers()
        more = bool(keys & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.ControlModifier))
        self.facet_clicked.emit(self.number_at(col, row), more)
