"""Parameters, emission, warnings and the slope gain of the calibration that is looked at."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.core.calibration import Calibrate, Parameter
from eclips_app.core.emission import materials
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import rule_of
from eclips_app.gui.flows.calibration import CalibrationFlow
from eclips_app.gui.panels.calibration.curve_plot import CurvePlot
from eclips_app.gui.panels.calibration.parameter_table import ParameterTable
from eclips_app.gui.panels.calibration.presenter import (
    check_text,
    chi2_text,
    conditions_apart,
    label_of,
    match_warnings,
    rows,
)
from eclips_app.gui.qt import Qt, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model.calibration import with_parameter

_EMISSIONS = (("Parametric", "parametric"), ("Table of the material", "tabulated"), ("Cosine law (Lambert)", "lambert"))
_WARNINGS_PX = 66  #: height that warnings take at most; more are scrolled to


class ResultSide:
    """Two widgets that stand side by side or in tabs: `table_page` and `curve_page`."""

    def __init__(self, session: Session, flow: CalibrationFlow) -> None:
        self._session, self._flow = session, flow
        self.emission = CalmCombo("Emission model of the fit", "How electrons leave the surface; parametric is fitted")
        for text, data in _EMISSIONS:
            self.emission.addItem(text, data)
        self.material = CalmCombo("Material of the objects", "Whose emission table the fit starts from")
        for name in materials():
            self.material.addItem(name, name)
        self.noise = QuantityEdit(rule_of(Calibrate, "grey_per_electron"), optional=True)
        self.noise.setPlaceholderText("auto noise")
        self.noise.setMinimumWidth(88)
        self.automatic = QtWidgets.QPushButton("Automatic")
        self.automatic.setAccessibleName("Back to automatic: parameters")
        self.automatic.setToolTip("Leave free, “known to” and start of every parameter to the program again")
        self.table = ParameterTable(session.theme)
        self.curve = CurvePlot(session.theme)
        self.quality, self.warnings = QtWidgets.QLabel(), QtWidgets.QLabel()
        for label, kind in ((self.quality, ""), (self.warnings, "warning")):
            label.setWordWrap(True)
            label.setProperty("kind", kind)
        self.nothing = QtWidgets.QLabel("After the fit: the slope gain k over the tilt, and what the data cannot tell")
        self.nothing.setProperty("kind", "faint")
        self.nothing.setWordWrap(True)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table_page, self.curve_page = self._pages()
        self.emission.activated.connect(self._choose_emission)
        self.material.activated.connect(self._choose_emission)
        self.noise.committed.connect(self._choose_noise)
        self.automatic.clicked.connect(self._reset)
        self.table.chosen.connect(self._choose)
        self.table.refused.connect(flow.say)

    def _pages(self) -> tuple[QtWidgets.QWidget, QtWidgets.QWidget]:
        bar = QtWidgets.QHBoxLayout()
        bar.setSpacing(4)
        bar.addWidget(self.emission, 2)
        bar.addWidget(self.material, 1)
        bar.addWidget(self.noise, 1)
        bar.addWidget(self.automatic)
        page, below = QtWidgets.QWidget(), QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(page)
        layout.setContentsMargins(4, 6, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(bar)
        layout.addWidget(self.table, 1)
        lower = QtWidgets.QVBoxLayout(below)
        lower.setContentsMargins(4, 4, 6, 4)
        lower.setSpacing(4)
        self._told = _Warnings(self.warnings)
        for widget in (self.quality, self._told):
            lower.addWidget(widget)
        lower.addWidget(self.curve, 1)
        lower.addWidget(self.nothing, 1)
        return page, below

    def refresh(self) -> None:
        """Read plan and calibration again."""
        plan, shown = self._flow.plan, self._flow.shown
        self.emission.show_data(plan.emission.model)
        self.material.show_data(plan.emission.material)
        self.material.setVisible(plan.emission.model != "lambert")
        if self.noise.value != plan.grey_per_electron:
            self.noise.set_value(plan.grey_per_electron)
        self.automatic.setEnabled(bool(plan.parameters))
        problem = ""
        try:
            self.table.show_rows(rows(self._session.project, shown))
        except EclipsError as error:
            self.table.show_rows([])
            problem = str(error)
        told = [problem] if problem else []
        told += list(shown.info.get("warnings", ())) if shown else []
        told += [text for text in conditions_apart(self._session.project) if text not in told]
        told += [f"Selected images: {text}" for text in match_warnings(self._session.project, shown)]
        self.quality.setText(f"{shown.name}: {check_text(shown)}" if shown else "")
        self.quality.setToolTip(chi2_text(shown) if shown else "")
        for widget in (self.quality, self.curve):
            widget.setVisible(shown is not None)
        self.nothing.setVisible(shown is None)
        self.warnings.setText("\n".join(told))
        self._told.setVisible(bool(told))
        self._told.fit()
        self.curve.show_curve(shown.info.get("curve") or {} if shown else {})

    def _choose(self, parameter: Parameter) -> None:
        changed = with_parameter(self._flow.plan, parameter)
        self._flow.change_plan(f"Calibration: {label_of(parameter.name).lower()}", parameters=changed.parameters)

    def _reset(self) -> None:
        self._flow.change_plan("Calibration: parameters back to automatic", parameters=())

    def _choose_emission(self, _: int) -> None:
        emission = replace(
            self._flow.plan.emission, model=self.emission.currentData(), material=self.material.currentData() or "Cu",
            coefficients=(),
        )  # fmt: skip
        self._flow.change_plan("Calibration: emission", emission=emission)

    def _choose_noise(self, value: float | None) -> None:
        self._flow.change_plan("Calibration: noise", grey_per_electron=value)


class _Warnings(QtWidgets.QScrollArea):
    """A text as high as it needs to be, up to some lines: many warnings must not leave the curve without room."""

    def __init__(self, label: QtWidgets.QLabel) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        label.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._label = label
        self.setWidget(label)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Fit the height to the new width."""
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Take the height that the text needs."""
        needed = self._label.heightForWidth(max(60, self.width() - 4))
        self.setFixedHeight(max(0, min(_WARNINGS_PX, needed)))
