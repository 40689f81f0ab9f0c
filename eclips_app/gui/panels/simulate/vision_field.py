"""The Vision Field of the shown surface and detector, in words."""

from __future__ import annotations

from eclips_app.gui.flows.live_vision_field import DELTA_OUT, LiveVisionField
from eclips_app.gui.panels.simulate.presenter import vision_field_rows, vision_field_warning
from eclips_app.gui.qt import QtWidgets

_TIP = (
    "How far away a part of the surface can stand in the way of an electron that the detector would catch.\n"
    "Rigorous: nothing farther away does. It follows from the relief and the lowest direction that the detector catches.\n"
    f"Statistical: only {100 * DELTA_OUT:g} % of the lowest directions are hidden from farther away alone, on a random surface.\n"
    "Nearer than that to the border of the image, something outside of it could cast a shadow that is not shown.\n"
    "The circles around a chosen pixel have these radii (rigorous: dashed)."
)


class VisionFieldView(QtWidgets.QWidget):
    """Both radii, and a warning where the statistical one misleads."""

    def __init__(self, field: LiveVisionField) -> None:
        super().__init__()
        self._field = field
        heading = QtWidgets.QLabel("Vision Field")
        heading.setProperty("kind", "heading")
        self.names, self.values = QtWidgets.QLabel(), QtWidgets.QLabel()
        self.warning = QtWidgets.QLabel()
        self.warning.setProperty("kind", "warning")
        self.warning.setWordWrap(True)
        self.names.setText(f"Statistical ({100 * DELTA_OUT:g} %)\nRigorous")
        self.values.setAccessibleName("Radii of the Vision Field")
        grid = QtWidgets.QGridLayout(self)
        grid.setContentsMargins(0, 6, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.addWidget(heading, 0, 0, 1, 2)
        grid.addWidget(self.names, 1, 0)
        grid.addWidget(self.values, 1, 1)
        grid.addWidget(self.warning, 2, 0, 1, 2)
        self.setToolTip(_TIP)
        field.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is known; while a newer one is on its way, the old one is faint."""
        field = self._field.field
        statistical, rigorous = vision_field_rows(field)
        self.values.setText(f"{statistical}\n{rigorous}")
        warning = vision_field_warning(field)
        self.warning.setText(warning)
        self.warning.setVisible(bool(warning))
        for label in (self.names, self.values):
            label.setEnabled(self._field.is_current)
