"""How the electrons are computed: the model, their emission, and whether they leave beside the probe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from eclips_app.core.emission import materials
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import Simulate
from eclips_app.core.units import format_length
from eclips_app.gui.flows.live_images import Frame
from eclips_app.gui.flows.simulate import SimulateFlow
from eclips_app.gui.panels.simulate.comparing import ADVICE
from eclips_app.gui.panels.simulate.sliders import CAPTION_PX, QuantitySlider, Track, slider_grid
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer

_MODELS = (
    ("Horizons (BSESM)", "bsesm"), ("Monte Carlo", "mc"), ("Network for any detector (VFT)", "vft"),
    ("Network for one detector (DSM)", "dsm"),
)  # fmt: skip
_SHIPPED, _OPEN = "", "open"  #: data of the choice of weights
_WEIGHTS = "Weights of a network (*.safetensors);;All files (*)"
_EMISSIONS = (("Cosine law (Lambert)", "lambert"), ("Table of the material", "tabulated"), ("Parametric", "parametric"))


class ModelForm(QtWidgets.QWidget):
    """Chooses the physics."""

    def __init__(self, session: Session, flow: SimulateFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.model = CalmCombo("Model", rule_of(Simulate, "model").help)
        self.emission = CalmCombo("Emission", "How the electrons leave the surface")
        self.material = CalmCombo("Material", "Whose emission table is used")
        for combo, entries in ((self.model, _MODELS), (self.emission, _EMISSIONS)):
            for text, data in entries:
                combo.addItem(text, data)
        for name in materials():
            self.material.addItem(name, name)
        self.weights = CalmCombo(
            "Weights", "Which network: that of the program, or one that you have trained (eclips train)"
        )
        self.advice = QtWidgets.QLabel(ADVICE)
        self.advice.setProperty("kind", "faint")
        self.advice.setWordWrap(True)
        self.delocalised = QtWidgets.QCheckBox("Electrons leave beside the probe")
        self.delocalised.setToolTip(
            "Blur the images by the distance at which the material's electrons leave (delocalisation)"
        )
        self.radius = QtWidgets.QLabel()
        self.radius.setProperty("kind", "faint")
        self.radius.setWordWrap(True)
        rule = replace(rule_of(Simulate, "rays"), label="Electrons", help="Followed from each sample of the surface")
        self.rays = QuantitySlider(session.theme, rule, Track(10.0, 10000.0, "log", whole=True), usual="400")
        self._grid = slider_grid()
        for row, (text, widget) in enumerate(
            (
                ("Model", self.model),
                ("Weights", self.weights),
                ("Emission", self.emission),
                ("Material", self.material),
            )
        ):
            caption = QtWidgets.QLabel(text)
            caption.setBuddy(widget)
            caption.setMinimumWidth(CAPTION_PX)
            self._grid.addWidget(caption, row, 0)
            if widget is self.weights:
                self._weights_caption = caption
            self._grid.addWidget(widget, row, 1, 1, 3)
        self.rays.add_to(self._grid, 4)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._grid)
        layout.addWidget(self.advice)
        layout.addWidget(self.delocalised)
        layout.addWidget(self.radius)
        for combo in (self.model, self.emission, self.material):
            combo.activated.connect(self._choose)
        self.weights.activated.connect(self._choose_weights)
        self.delocalised.clicked.connect(self._choose)
        self.rays.moved.connect(self._set_rays)
        self.rays.reset_asked.connect(self._reset_rays)

    def refresh(self) -> None:
        """Show the choices."""
        setup = self._flow.setup
        self.model.show_data(setup.model)
        paths = [path for path, network in self._flow.trained.items() if network == setup.model]
        paths += [setup.weights] if setup.weights and setup.weights not in paths else []
        files = [(Path(path).name, path) for path in paths]
        offer(self.weights, [("Of the program", _SHIPPED), *files, ("File…", _OPEN)], setup.weights)
        for widget in (self._weights_caption, self.weights, self.advice):
            widget.setVisible(setup.is_network)
        self.emission.show_data(setup.emission.model)
        self.material.show_data(setup.emission.material)
        needs_table = setup.emission.model != "lambert" or setup.delocalised
        self.material.setEnabled(needs_table and self.material.count() > 0)
        self.delocalised.setChecked(setup.delocalised)
        self.delocalised.setEnabled(self.material.count() > 0)
        self.rays.set_visible(setup.model == "mc")
        self.rays.show_value(float(setup.rays), setup.rays != 400)

    def show_frame(self, frame: Frame) -> None:
        """Say how far from the probe the electrons leave."""
        radius = frame.info.get("exit_radius_nm")
        self.radius.setVisible(radius is not None)
        if radius is not None:
            per_pixel = radius / frame.terrain.pixel_size_nm
            self.radius.setText(f"Half of them leave beyond {format_length(radius, 3)} ({per_pixel:.1f} px).")

    def _choose(self, _: object) -> None:
        setup = self._flow.setup
        emission = replace(
            setup.emission,
            model=self.emission.currentData(),
            material=self.material.currentData() or setup.emission.material,
        )
        model = self.model.currentData()
        weights = setup.weights if model == setup.model else ""  # one network's weights fit no other
        self._flow.choose(model=model, weights=weights, emission=emission, delocalised=self.delocalised.isChecked())

    def _choose_weights(self, _: object) -> None:
        chosen = self.weights.currentData()
        if chosen == _OPEN:
            paths = self._session.ask_open_files("Weights of a network", "models", _WEIGHTS)
            chosen = str(paths[0]) if paths else self._flow.setup.weights
        self.weights.show_data(self._flow.setup.weights)
        self._flow.choose(weights=chosen)

    def _set_rays(self, value: float) -> None:
        self._flow.choose(rays=round(value))

    def _reset_rays(self) -> None:
        self._flow.choose(rays=400)
