"""How the electrons are computed: the model, their emission, and whether they leave beside the probe."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.core.emission import materials
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import Simulate
from eclips_app.core.units import format_length
from eclips_app.gui.flows.live_images import Frame
from eclips_app.gui.flows.simulate import SimulateFlow
from eclips_app.gui.panels.simulate.sliders import CAPTION_PX, QuantitySlider, Track, slider_grid
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo

_MODELS = (("Horizons (BSESM)", "bsesm"), ("Monte Carlo", "mc"))
_EMISSIONS = (("Cosine law (Lambert)", "lambert"), ("Table of the material", "tabulated"), ("Parametric", "parametric"))


class ModelForm(QtWidgets.QWidget):
    """Chooses the physics."""

    def __init__(self, session: Session, flow: SimulateFlow) -> None:
        super().__init__()
        self._flow = flow
        self.model = CalmCombo("Model", rule_of(Simulate, "model").help)
        self.emission = CalmCombo("Emission", "How the electrons leave the surface")
        self.material = CalmCombo("Material", "Whose emission table is used")
        for combo, entries in ((self.model, _MODELS), (self.emission, _EMISSIONS)):
            for text, data in entries:
                combo.addItem(text, data)
        for name in materials():
            self.material.addItem(name, name)
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
            (("Model", self.model), ("Emission", self.emission), ("Material", self.material))
        ):
            caption = QtWidgets.QLabel(text)
            caption.setBuddy(widget)
            caption.setMinimumWidth(CAPTION_PX)
            self._grid.addWidget(caption, row, 0)
            self._grid.addWidget(widget, row, 1, 1, 3)
        self.rays.add_to(self._grid, 3)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._grid)
        layout.addWidget(self.delocalised)
        layout.addWidget(self.radius)
        for combo in (self.model, self.emission, self.material):
            combo.activated.connect(self._choose)
        self.delocalised.clicked.connect(self._choose)
        self.rays.moved.connect(self._set_rays)
        self.rays.reset_asked.connect(self._reset_rays)

    def refresh(self) -> None:
        """Show the choices."""
        setup = self._flow.setup
        self.model.show_data(setup.model)
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
        self._flow.choose(model=self.model.currentData(), emission=emission, delocalised=self.delocalised.isChecked())

    def _set_rays(self, value: float) -> None:
        self._flow.choose(rays=round(value))

    def _reset_rays(self) -> None:
        self._flow.choose(rays=400)
