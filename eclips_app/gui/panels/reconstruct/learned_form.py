"""What a network adds: which one, the loop that teaches it the images at hand, and how that is rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from eclips_app.core.schema import rule_of
from eclips_app.core.steps import Learned
from eclips_app.gui.flows.methods import RENDERERS
from eclips_app.gui.flows.reconstruct import ReconstructFlow
from eclips_app.gui.panels.reconstruct import fit_texts
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.automatic_fields import AutomaticFields
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer

_NUMBERS = ("rounds", "grey_per_electron", "read_noise_grey", "azimuths", "subpixels")
_OF_PROGRAM, _OPEN = "", "open:"  #: data of a choice of weights
_FILES = "Weights of a network (*.safetensors);;All files (*)"
_WEIGHTS = {
    "network": ("U-Net", "Which network finds the normals: that of the program, or one that you have trained"),
    "renderer_weights": ("Its weights", "Which VFT or DSM renders: that of the program, or one that you have trained"),
    "finetune_weights": (
        "Its weights",
        "Which network corrects: one trained on the images at hand, or one of your own",
    ),
}
_LEARNT_HERE = "finetune_weights"  #: without a file this one is trained in the loop


class LearnedForm(AutomaticFields):
    """Networks, rounds, renderer and noise; goes with the next run."""

    def __init__(self, session: Session, flow: ReconstructFlow) -> None:
        super().__init__(Learned, _NUMBERS)
        self._session, self._flow = session, flow
        self.weights = {name: CalmCombo(*words) for name, words in _WEIGHTS.items()}
        rule = rule_of(Learned, "renderer")
        self.renderer = CalmCombo(rule.label, rule.help)
        self.brightness = CalmCombo("Brightness", "How bright the material is, where chi-square is worked out")
        self.finetune = QtWidgets.QCheckBox("Finetune: correct what is rendered")
        self.finetune.setToolTip("A small network corrects the rendered images, within limits that the run tells")
        for key, text in RENDERERS.items():
            self.renderer.addItem(text, key)
        self._lay_out()
        self.committed.connect(self._choose)
        self.renderer.activated.connect(self._choose_renderer)
        self.finetune.clicked.connect(self._choose_finetune)
        self.brightness.activated.connect(self._choose_brightness)
        for name, combo in self.weights.items():
            combo.setObjectName(name)
            combo.activated.connect(self._choose_weights)

    def refresh(self) -> None:
        """Show the options of the flow."""
        options, fit = self._flow.options, self._flow.options.fit
        if not isinstance(fit, Learned):
            return
        self.show_values(fit, fit_texts.automatic_texts(fit, _NUMBERS))
        for name, combo in self.weights.items():
            chosen = getattr(fit, name)
            files = [(Path(chosen).name, chosen)] if chosen else []
            own = "Trained on these images" if name == _LEARNT_HERE else "Of the program"
            offer(combo, [(own, _OF_PROGRAM), *files, ("File…", _OPEN)], chosen)
        self.renderer.show_data(fit.renderer)
        self.finetune.setChecked(fit.finetune)
        project = self._session.project
        offer(self.brightness, fit_texts.brightness_choices(project, options), fit_texts.brightness_key(options))
        loops = fit.rounds > 0
        shown = {
            self.renderer: loops, self.finetune: loops, self.weights["renderer_weights"]: loops and fit.renderer != "bsesm",
            self.weights[_LEARNT_HERE]: loops and fit.finetune,
        }  # fmt: skip
        for widget, is_shown in shown.items():
            self.form.setRowVisible(widget, is_shown)

    def _lay_out(self) -> None:
        """Put the networks about the rounds, and the noise below."""
        rows: list[tuple[str, QtWidgets.QWidget]] = [
            (self.renderer.accessibleName(), self.renderer), ("Its weights", self.weights["renderer_weights"]),
            ("", self.finetune), ("Its weights", self.weights[_LEARNT_HERE]),
        ]  # fmt: skip
        self.form.insertRow(0, "U-Net", self.weights["network"])
        for place, (label, widget) in enumerate([*rows, ("Brightness", self.brightness)], 2):
            self.form.insertRow(place, label, widget) if label else self.form.insertRow(place, widget)

    def _choose(self, name: str, value: Any) -> None:
        self._set(**{name: value})

    def _set(self, **values: Any) -> None:
        options = self._flow.options
        self._flow.set_options(replace(options, fit=replace(options.fit, **values)))

    def _choose_renderer(self, _: object) -> None:
        self._set(renderer=self.renderer.currentData(), renderer_weights="")  # one network's weights fit no other

    def _choose_finetune(self, wanted: bool) -> None:
        self._choose("finetune", wanted)

    def _choose_brightness(self, _: object) -> None:
        self._flow.set_options(fit_texts.with_brightness(self._flow.options, self.brightness.currentData()))

    def _choose_weights(self, _: object) -> None:
        combo = self.sender()
        assert isinstance(combo, CalmCombo)
        name, chosen = combo.objectName(), combo.currentData()
        if chosen == _OPEN:
            paths = self._session.ask_open_files("Weights of a network", "models", _FILES)
            chosen = str(paths[0]) if paths else getattr(self._flow.options.fit, name)
        combo.show_data(chosen)
        self._choose(name, chosen)
