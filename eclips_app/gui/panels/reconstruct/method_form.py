"""How the heights are found: the method, and for those with an emission how electrons leave the surface."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.core.detector import Detector
from eclips_app.core.emission import calibrated_emission, materials
from eclips_app.core.errors import EclipsError
from eclips_app.gui.flows.methods import METHODS, method_of, needs_beam
from eclips_app.gui.flows.reconstruct import ReconstructFlow
from eclips_app.gui.panels.reconstruct.presenter import beam_text
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer

_EMISSIONS = [("Cosine law (Lambert)", "lambert"), ("Table of the material", "tabulated"), ("Parametric", "parametric")]
_CALIBRATED = "calibrated"
_ABREAST = 3  #: methods in a row


class MethodForm(QtWidgets.QWidget):
    """Chooses the method of the next run; what concerns only some methods is shown with them."""

    def __init__(self, session: Session, flow: ReconstructFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.group = QtWidgets.QButtonGroup(self)
        row = QtWidgets.QGridLayout()
        row.setHorizontalSpacing(14)
        row.setVerticalSpacing(4)
        row.setColumnStretch(_ABREAST, 1)
        for index, method in enumerate(METHODS):
            button = QtWidgets.QRadioButton(method.name)
            button.setToolTip(method.text)
            button.setAccessibleName(f"Method: {method.name}")
            button.setAccessibleDescription(method.text)
            self.group.addButton(button, index)
            row.addWidget(button, *divmod(index, _ABREAST))
        self.text = _faint()
        self.emission = CalmCombo("Emission", "How electrons leave the surface; the wrong choice reads wrong angles")
        self.material = CalmCombo("Material", "Whose emission is used")
        for name in materials():
            self.material.addItem(name, name)
        self.beam = _faint()
        self._form = QtWidgets.QFormLayout()
        self._form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Emission", self.emission)
        self._form.addRow("Material", self.material)
        self._form.addRow(self.beam)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(row)
        layout.addWidget(self.text)
        layout.addLayout(self._form)
        self.group.idClicked.connect(self._choose_method)
        self.emission.activated.connect(self._choose_emission)
        self.material.activated.connect(self._choose_emission)

    def button(self, name: str) -> QtWidgets.QAbstractButton:
        """Give the button of a method."""
        return next(each for each in self.group.buttons() if each.text() == name)

    def refresh(self) -> None:
        """Show the options of the flow."""
        options, detector = self._flow.options, self._session.project.detector
        method = method_of(options)
        self.group.button(METHODS.index(method)).setChecked(True)
        self.text.setText(method.text)
        is_offered = _has_emission(detector)
        is_chosen = is_offered and options.as_calibrated
        choices = [("As calibrated", _CALIBRATED), *_EMISSIONS] if is_offered else _EMISSIONS
        offer(self.emission, choices, _CALIBRATED if is_chosen else options.fit.emission.model)
        self.material.show_data(options.fit.emission.material)
        self._form.setRowVisible(self.emission, method.has_emission)
        needs_table = needs_beam(replace(options, as_calibrated=is_chosen), detector)
        self._form.setRowVisible(self.material, needs_table)
        self._form.setRowVisible(self.beam, needs_table)
        kind = "warning" if needs_table and detector is not None and detector.beam is None else "faint"
        if self.beam.property("kind") != kind:
            self.beam.setProperty("kind", kind)
            self.beam.style().polish(self.beam)
        self.beam.setText(beam_text(detector))

    def _choose_method(self, index: int) -> None:
        self._flow.set_options(METHODS[index].chosen(self._flow.options))

    def _choose_emission(self, _: object) -> None:
        options = self._flow.options
        material = self.material.currentData() or options.fit.emission.material
        model = self.emission.currentData()
        emission = (
            options.fit.emission
            if model == _CALIBRATED
            else replace(options.fit.emission, model=model, material=material)
        )
        fit = replace(options.fit, emission=emission)
        self._flow.set_options(replace(options, fit=fit, as_calibrated=model == _CALIBRATED))


def _has_emission(detector: Detector | None) -> bool:
    """Whether a detector was calibrated with an emission of its own."""
    try:
        return detector is not None and calibrated_emission(detector) is not None
    except EclipsError:  # told in the checklist
        return False


def _faint() -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setWordWrap(True)
    label.setProperty("kind", "faint")
    return label
