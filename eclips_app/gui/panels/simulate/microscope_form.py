"""The virtual microscope: which detector, and the values of it and of the beam that can be slid."""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.core.detector import Beam, Bias, Detector
from eclips_app.core.schema import Rule, rule_of
from eclips_app.core.steps import Simulate
from eclips_app.gui.flows.simulate import SimulateFlow
from eclips_app.gui.flows.simulation import detector_value, known_presets
from eclips_app.gui.panels.simulate.sliders import QuantitySlider, Track, slider_grid
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo


@dataclass(frozen=True)
class _Row:
    key: str
    rule: Rule
    track: Track


def _rule(cls: type, name: str, label: str, help: str) -> Rule:
    known = rule_of(cls, name)
    return Rule(label, known.unit, known.low, known.high, (), help)


_ROWS = (
    _Row(
        "distance_mm",
        _rule(Detector, "distance_mm", "Distance", "From the specimen to the face of the detector"),
        Track(1.0, 40.0, "log"),
    ),
    _Row("beam.energy_kev", _rule(Beam, "energy_kev", "Beam energy", "Energy of the primary electrons"), Track(0.5, 30.0, "log")),
    _Row(
        "bias.specimen_v",
        _rule(Bias, "specimen_v", "Specimen bias", "Potential of the specimen; a negative one drives the electrons up"),
        Track(-10000.0, 2000.0),
    ),
    _Row(
        "beam.probe_fwhm_nm",
        _rule(Beam, "probe_fwhm_nm", "Probe", "Diameter of the beam on the specimen (full width at half maximum)"),
        Track(0.0, 200.0, "square"),
    ),
    _Row("tilt_deg.0", _rule(Detector, "tilt_deg", "Detector tilt x", "Detector turned about x"), Track(-30.0, 30.0)),
    _Row("tilt_deg.1", _rule(Detector, "tilt_deg", "Detector tilt y", "Detector turned about y"), Track(-30.0, 30.0)),
    _Row("center_mm.0", _rule(Detector, "center_mm", "Offset x", "Detector axis from the beam, right"), Track(-10.0, 10.0)),
    _Row("center_mm.1", _rule(Detector, "center_mm", "Offset y", "Detector axis from the beam, up"), Track(-10.0, 10.0)),
)  # fmt: skip
_KNOWN = rule_of(Simulate, "dose")
_DOSE = Rule(
    "Electrons/px", "", _KNOWN.low, _KNOWN.high, (),
    "Dose: mean number of electrons in each pixel of each segment on a flat specimen",
)  # fmt: skip
_USUAL_DOSE = 4000.0


class MicroscopeForm(QtWidgets.QWidget):
    """Chooses the detector and slides its values; what differs from the detector's own can be taken back."""

    def __init__(self, session: Session, flow: SimulateFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.choice = CalmCombo("Detector", "The detector to begin with: the project's, or one with typical dimensions")
        self.choice.activated.connect(self._choose)
        self._offered: list[tuple[str, str]] = []
        self.sliders: dict[str, QuantitySlider] = {}
        grid = slider_grid()
        for place, row in enumerate(_ROWS):
            slider = QuantitySlider(session.theme, row.rule, row.track)
            slider.setObjectName(row.key)
            slider.moved.connect(self._set)
            slider.reset_asked.connect(self._reset)
            slider.add_to(grid, place)
            self.sliders[row.key] = slider
        self.dose = QuantitySlider(session.theme, _DOSE, Track(10.0, 1e6, "log"), usual="4000 electrons")
        self.dose.moved.connect(self._set_dose)
        self.dose.reset_asked.connect(self._reset_dose)
        self.dose.add_to(grid, len(_ROWS))
        self.noise = QtWidgets.QCheckBox("Noise of the electrons")
        self.noise.setToolTip("Count electrons as a detector does; without it the images are exact")
        self.noise.clicked.connect(self._set_noise)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.choice)
        layout.addLayout(grid)
        layout.addWidget(self.noise)

    def refresh(self) -> None:
        """Show the choices."""
        setup, base = self._flow.setup, self._flow.base
        own = self._session.project.detector
        names = list(known_presets())
        wanted = [*([(f"Project: {own.name}", "")] if own is not None else []), *((name, name) for name in names)]
        if self._offered != wanted:
            self._offered = wanted
            self.choice.clear()
            for text, data in wanted:
                self.choice.addItem(text, data)
        self.choice.show_data(setup.base if setup.base or own is not None else base.name)
        changes = dict(setup.changes)
        for key, slider in self.sliders.items():
            value = changes.get(key, detector_value(base, key))
            slider.show_value(value, value != detector_value(base, key))
        self.noise.setChecked(setup.dose is not None)
        self.dose.set_enabled(setup.dose is not None)
        if setup.dose is not None:
            self.dose.show_value(setup.dose, setup.dose != _USUAL_DOSE)

    def _choose(self, _: int) -> None:
        self._flow.choose(base=self.choice.currentData(), changes=())

    def _set(self, value: float) -> None:
        self._flow.change_detector(self.sender().objectName(), value)

    def _reset(self) -> None:
        self._flow.change_detector(self.sender().objectName(), None)

    def _set_dose(self, value: float) -> None:
        self._flow.choose(dose=value)

    def _reset_dose(self) -> None:
        self._flow.choose(dose=_USUAL_DOSE)

    def _set_noise(self, wanted: bool) -> None:
        self._flow.choose(dose=(self.dose.field.value or _USUAL_DOSE) if wanted else None)
