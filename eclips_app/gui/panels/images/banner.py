"""Asks for the pixel size while it is not known: typed, or measured on the scale bar."""

from __future__ import annotations

from eclips_app.core.schema import Rule
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

PIXEL_SIZE = Rule("Pixel size", "nm", 1e-3, 1e6, help="Any unit of length may be typed, for example 0.25 µm.")
BAR_LENGTH = Rule("Length", "µm", 1e-4, 1e6, help="The length written beside the scale bar; type its unit with it.")


class PixelSizeBanner(QtWidgets.QFrame):
    """Stands above the images until the pixel size is known."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("kind", "card")
        self._icon = QtWidgets.QLabel()
        self.text = QtWidgets.QLabel("Pixel size not known")
        self.text.setToolTip("The files do not tell it. Without it there are no heights.")
        self.edit = QuantityEdit(PIXEL_SIZE, optional=True)
        self.edit.setPlaceholderText("such as 12.5 nm")
        self.edit.setMinimumWidth(80)
        self.edit.setMaximumWidth(130)
        self.measure = QtWidgets.QPushButton("Measure…")
        self.measure.setAccessibleName("Measure the scale bar")
        self.measure.setToolTip("Draw a line over the scale bar of an image")
        self.text.setBuddy(self.edit)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.addWidget(self._icon)
        for widget in (self.text, self.edit, self.measure):
            layout.addWidget(widget)
        layout.addStretch(1)
        theme.changed.connect(self._draw_icon)
        self._draw_icon()

    def _draw_icon(self) -> None:
        self._icon.setPixmap(self._theme.icon("warning", self._theme.colors.warning).pixmap(QtCore.QSize(20, 20)))
