"""What a distilled simulator (DSM) is trained for: the project's detector, the emission, and whose images it learns."""

from __future__ import annotations

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission, calibrated_emission, materials
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import rule_of
from eclips_app.core.training import Train
from eclips_app.gui.qt import QtCore, QtWidgets, Signal
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer

_EMISSIONS = (("Cosine law (Lambert)", "lambert"), ("Table of the material", "tabulated"), ("Parametric", "parametric"))
_CALIBRATED = "calibrated"  #: data of the emission that the detector was calibrated with
_TEACHERS = (("Exact model (Horizons)", "bsesm"), ("Monte Carlo, a hundred times slower", "mc"))
_NONE = "The project has no detector, and a DSM is for one: choose it in the Detector panel first."
_NO_ENERGY = (
    "A table of the material needs the beam's energy, which the detector does not give: enter it in the Detector panel."
)


class DistilRows(QtCore.QObject):
    """Rows of the dialog for training that a DSM alone has."""

    changed = Signal()

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._form: QtWidgets.QFormLayout | None = None
        self._detector: Detector | None = None
        self._calibrated: Emission | None = None
        self._fault = ""  #: of the emission in the detector's calibration
        self.detector = QtWidgets.QLabel()
        self.detector.setWordWrap(True)
        self.emission = CalmCombo("Emission", "How the electrons leave the surface in the images that are learnt")
        self.material = CalmCombo("Material", "Whose emission table is used")
        for name in materials():
            self.material.addItem(name, name)
        self.material.show_data(Emission().material)
        self.teacher = CalmCombo("Teacher", rule_of(Train, "teacher").help)
        for text, key in _TEACHERS:
            self.teacher.addItem(text, key)
        self._emission_row = QtWidgets.QHBoxLayout()
        self._emission_row.addWidget(self.emission, 2)
        self._emission_row.addWidget(self.material, 1)
        self.emission.activated.connect(self._refresh)
        self.material.activated.connect(self._refresh)
        self.show_detector(None)

    @property
    def problem(self) -> str:
        """Why nothing can be trained; empty if it can."""
        if self._detector is None:
            return _NONE
        if self._fault:
            return self._fault
        return _NO_ENERGY if self.chosen_emission.needs_table and self._detector.beam is None else ""

    @property
    def chosen_emission(self) -> Emission:
        """The emission of the images to learn."""
        if self.emission.currentData() == _CALIBRATED and self._calibrated is not None:
            return self._calibrated
        if self.emission.currentData() == "lambert":
            return Emission()
        return Emission(self.emission.currentData(), self.material.currentData() or Emission().material)

    def add_to(self, form: QtWidgets.QFormLayout) -> None:
        """Put the rows into a form."""
        self._form = form
        form.addRow("Detector", self.detector)
        form.addRow("Emission", self._emission_row)
        form.addRow("Teacher", self.teacher)

    def set_visible(self, visible: bool) -> None:
        """Show the rows or not."""
        if self._form is not None:
            self._form.setRowVisible(self.detector, visible)
            self._form.setRowVisible(self._emission_row, visible)
            self._form.setRowVisible(self.teacher, visible)

    def set_enabled(self, enabled: bool) -> None:
        """Let the choices be changed or not."""
        self.emission.setEnabled(enabled)
        self.material.setEnabled(enabled and self.emission.currentData() in ("tabulated", "parametric"))
        self.teacher.setEnabled(enabled)

    def show_detector(self, detector: Detector | None) -> None:
        """Offer a detector; the emission that it was calibrated with comes first."""
        new = detector != self._detector
        self._detector, self._calibrated, self._fault = detector, None, ""
        try:
            self._calibrated = calibrated_emission(detector) if detector is not None else None
        except EclipsError as error:
            self._fault = str(error)
        choices = [*([("As calibrated", _CALIBRATED)] if self._calibrated is not None else []), *_EMISSIONS]
        offer(self.emission, choices, choices[0][1] if new else self.emission.currentData())
        self._refresh()

    def _refresh(self, _: object = None) -> None:
        known = self._detector
        named = "" if known is None else f"{known.name} ({len(known.quadrants)} segments, of the project)"
        self.detector.setText(self.problem or named)
        self.detector.setProperty("kind", "warning" if self.problem else "")
        self.detector.style().polish(self.detector)
        self.changed.emit()
