"""The form of what can be chosen for a reconstruction."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.commands import edits
from eclips_app.core.schema import Rule
from eclips_app.gui.flows.methods import INTEGRATORS
from eclips_app.gui.flows.reconstruct import ReconstructFlow
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_BALANCE = (("auto", "Automatic"), ("file", "From the detector file"), ("level", "Make the surface level"))
_DEVICES = (("auto", "Automatic"), ("cpu", "Processor"), ("cuda", "Graphics card"))
_INTEGRATOR_TIP = (
    "How slopes become heights. Least squares is linear: measure with it. Wiener shrinks what is mostly noise.\n"
    "Bilateral is for cliffs within a pixel. The network takes noise away and keeps edges; what it takes for noise is lost.\n"
    "Standard and Metrology only start from these heights."
)
_LOW = Rule("Clipped at or below", "grey", help="Pixels at or below this grey value do not count.")
_HIGH = Rule("Clipped at or above", "grey", help="Pixels at or above this grey value do not count.")


class OptionsForm(QtWidgets.QWidget):
    """Gains, scan parallax and device go with the next run; clip levels belong to the images."""

    def __init__(self, session: Session, flow: ReconstructFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.balance = _combo(
            "Segment gains",
            _BALANCE,
            "Gains and offsets of the detector file, or gains that make the median of the image level.\n"
            "Automatic: level as long as the detector's dimensions are typical ones, else the detector file's.",
        )
        self.integrator = _combo("Integrator", tuple(INTEGRATORS.items()), _INTEGRATOR_TIP)
        self.device = _combo("Device", _DEVICES, "Where the numbers are worked out")
        self.parallax = QtWidgets.QCheckBox("Correct scan parallax")
        self.parallax.setToolTip(
            "Takes out the bowl that a flat specimen shows because the beam leaves the detector's axis (computed, not fitted)"
        )
        self.clip_low, self.clip_high = (QuantityEdit(rule, optional=True) for rule in (_LOW, _HIGH))
        form = QtWidgets.QFormLayout(self)
        form.setContentsMargins(4, 0, 0, 0)
        form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow("Segment gains", self.balance)
        form.addRow(self.parallax)
        form.addRow("Clipped at or below", self.clip_low)
        form.addRow("Clipped at or above", self.clip_high)
        form.addRow("Integrator", self.integrator)
        form.addRow("Device", self.device)
        self.balance.activated.connect(self._choose)
        self.integrator.activated.connect(self._choose)
        self.device.activated.connect(self._choose)
        self.parallax.clicked.connect(self._choose)
        self.clip_low.committed.connect(self._set_clips)
        self.clip_high.committed.connect(self._set_clips)
        self.refresh()

    def refresh(self) -> None:
        """Show the options of the flow and the clip levels of the selected set."""
        options, segment_set = self._flow.options, self._session.project.segment_set
        self.balance.setCurrentIndex(self.balance.findData(options.balance))
        self.integrator.setCurrentIndex(self.integrator.findData(options.integrator))
        self.device.setCurrentIndex(self.device.findData(options.device))
        self.parallax.setChecked(options.scan_parallax)
        for field, value in (
            (self.clip_low, segment_set.clip_low if segment_set else None),
            (self.clip_high, segment_set.clip_high if segment_set else None),
        ):
            field.setEnabled(segment_set is not None)
            if field.value != value:
                field.set_value(value)

    def _choose(self, _: object) -> None:
        self._flow.set_options(
            replace(
                self._flow.options,
                balance=self.balance.currentData(),
                scan_parallax=self.parallax.isChecked(),
                device=self.device.currentData(),
                integrator=self.integrator.currentData(),
            )
        )

    def _set_clips(self, _: object) -> None:
        project = self._session.project
        if project.segment_set is not None:
            edit = edits.set_clip_levels(project, project.segment_set, self.clip_low.value, self.clip_high.value)
            self._session.do(edit)


def _combo(name: str, choices: tuple[tuple[str, str], ...], tip: str) -> QtWidgets.QComboBox:
    combo = QtWidgets.QComboBox()
    for value, text in choices:
        combo.addItem(text, value)
    combo.setAccessibleName(name)
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(10)
    combo.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
    return combo
