"""How well detector, gains, pixel size and emission are known: typed, or as the detector file states it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.core.tolerance import Tolerances
from eclips_app.gui.flows.reconstruct import ReconstructFlow
from eclips_app.gui.panels.reconstruct import fit_texts
from eclips_app.gui.panels.reconstruct.fit_form import back_to_automatic
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.automatic_fields import AutomaticFields

_TEXT = (
    "Standard deviations that the heights' own rest on, beside the noise of the images. What is not stated here or in the "
    "detector file is left out, and said so with the result."
)


class ToleranceForm(AutomaticFields):
    """One field for each tolerance; its placeholder tells what holds while it is empty."""

    def __init__(self, session: Session, flow: ReconstructFlow) -> None:
        super().__init__(Tolerances, [field.name for field in fields(Tolerances)])
        self._session, self._flow = session, flow
        self.text = QtWidgets.QLabel(_TEXT)
        self.problem = QtWidgets.QLabel()
        for label, kind in ((self.text, "faint"), (self.problem, "warning")):
            label.setWordWrap(True)
            label.setProperty("kind", kind)
        self.automatic = back_to_automatic("the uncertainties")
        self.form.insertRow(0, self.text)
        self.form.insertRow(1, self.problem)
        self.form.addRow(self.automatic)
        self.committed.connect(self._choose)
        self.automatic.clicked.connect(self._reset)

    def refresh(self) -> None:
        """Show what is typed and what the detector states."""
        options, detector = self._flow.options, self._session.project.detector
        try:
            stated, problem = fit_texts.tolerance_texts(detector, options), ""
        except EclipsError as error:
            stated, problem = fit_texts.tolerance_texts(None, options), str(error)
        self.problem.setText(problem)
        self.form.setRowVisible(self.problem, bool(problem))
        self.show_values(options.fit.tolerances, stated)
        self.automatic.setEnabled(options.fit.tolerances != Tolerances())

    def _choose(self, name: str, value: Any) -> None:
        self._set(replace(self._flow.options.fit.tolerances, **{name: value}))

    def _reset(self) -> None:
        self._set(Tolerances())

    def _set(self, tolerances: Tolerances) -> None:
        options = self._flow.options
        self._flow.set_options(replace(options, fit=replace(options.fit, tolerances=tolerances)))
