"""Every choice of a fit that is made by itself, with what was chosen, and a way to choose otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eclips_app.core.steps import ClosedLoop
from eclips_app.gui.flows.reconstruct import ReconstructFlow
from eclips_app.gui.panels.reconstruct import fit_texts
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.automatic_fields import AutomaticFields
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer

_START_TIP = (
    "Heights to start from: those that Live finds, those of the U-Net, or those of an earlier run, which saves steps"
)
_BRIGHTNESS_TIP = (
    "How bright the material is: each pixel's own, one value for the field, or known: the factors that an earlier run found.\n"
    "Fewer unknowns see more, and err more where they are wrong."
)


class FitForm(AutomaticFields):
    """Noise, brightness, start, and how far the fit goes; goes with the next run."""

    def __init__(self, session: Session, flow: ReconstructFlow) -> None:
        super().__init__(ClosedLoop, fit_texts.FIT_NUMBERS)
        self._session, self._flow = session, flow
        self.brightness = CalmCombo("Brightness", _BRIGHTNESS_TIP)
        self.start = CalmCombo("Start", _START_TIP)
        self.coarse_to_fine = QtWidgets.QCheckBox("Coarse to fine")
        self.coarse_to_fine.setToolTip("Solve images of half the size first: fewer steps at full size")
        self.automatic = back_to_automatic("the fit")
        for place, (label, widget) in enumerate((("Brightness", self.brightness), ("Start", self.start))):
            self.form.insertRow(place, label, widget)
        self.form.insertRow(2, self.coarse_to_fine)
        self.form.addRow(self.automatic)
        self.committed.connect(self._choose)
        self.brightness.activated.connect(self._choose_brightness)
        self.start.activated.connect(self._choose_start)
        self.coarse_to_fine.clicked.connect(self._choose_levels)
        self.automatic.clicked.connect(self._reset)

    def refresh(self) -> None:
        """Show the options of the flow, and the earlier runs that a fit can rest on."""
        options, project = self._flow.options, self._session.project
        self.show_values(options.fit, fit_texts.automatic_texts(options.fit))
        offer(self.brightness, fit_texts.brightness_choices(project, options), fit_texts.brightness_key(options))
        offer(self.start, fit_texts.start_choices(project, options), fit_texts.start_key(options))
        self.coarse_to_fine.setChecked(options.fit.coarse_to_fine)
        self.automatic.setEnabled(fit_texts.count_fit_changes(options) > 0)

    def _choose(self, name: str, value: Any) -> None:
        options = self._flow.options
        self._flow.set_options(replace(options, fit=replace(options.fit, **{name: value})))

    def _choose_brightness(self, _: object) -> None:
        self._flow.set_options(fit_texts.with_brightness(self._flow.options, self.brightness.currentData()))

    def _choose_start(self, _: object) -> None:
        self._flow.set_options(fit_texts.with_start(self._flow.options, self.start.currentData()))

    def _choose_levels(self, wanted: bool) -> None:
        self._choose("coarse_to_fine", wanted)

    def _reset(self) -> None:
        self._flow.set_options(fit_texts.with_automatic_fit(self._flow.options))


def back_to_automatic(of_what: str) -> QtWidgets.QPushButton:
    """Make the button that takes all choices of a form back."""
    button = QtWidgets.QPushButton("Back to automatic")
    button.setToolTip(f"Leave every choice of {of_what} to the program again")
    button.setAccessibleName(f"Back to automatic: {of_what}")
    return button
