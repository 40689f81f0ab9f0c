"""Which surface is simulated: a generated one with its parameters, a height map of the project, or a file."""

from __future__ import annotations

from dataclasses import replace

from eclips_app.core.schema import Rule, rule_of
from eclips_app.core.specimen import SURFACE_TITLES, Specimen, surface_defaults, surface_parameters
from eclips_app.core.units import format_length
from eclips_app.gui.flows.simulate import SimulateFlow
from eclips_app.gui.flows.simulation import MADE, Terrain
from eclips_app.gui.panels.simulate.presenter import OPEN, parameter_track, short_label, surface_choices
from eclips_app.gui.panels.simulate.sliders import QuantitySlider, Track, slider_grid
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.gui.widgets.thumbnail import shaded

_SIZES = (128, 256, 512, 1024, 2048)

_SLOPE = "Inclination of a plane that is added to the heights; positive rises to the {}"
_SLOPES = (
    Rule("Slope x", "°", -80, 80, (), _SLOPE.format("right")),
    Rule("Slope y", "°", -80, 80, (), _SLOPE.format("top")),
)
_THUMBNAIL = QtCore.QSize(84, 84)


class SurfaceForm(QtWidgets.QWidget):
    """Chooses and shapes the surface."""

    def __init__(self, session: Session, flow: SimulateFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._shown: Terrain | None = None
        self._offered: list[tuple[str, str]] = []
        self.choice = CalmCombo("Surface", "What lies under the beam")
        self.choice.activated.connect(self._choose)
        self.edge = CalmCombo("Size in pixels", "Rows and columns of the surface")
        for edge in _SIZES:
            self.edge.addItem(f"{edge} × {edge} px", edge)
        self.edge.activated.connect(self._choose_size)
        self.pixel = QuantityEdit(rule_of(Specimen, "pixel_size_nm"))
        self.pixel.committed.connect(self._choose_pixel_size)
        self.facts = QtWidgets.QLabel()
        self.facts.setProperty("kind", "faint")
        self.facts.setAccessibleName("Facts of the surface")
        self.picture = QtWidgets.QLabel()
        self.picture.setFixedSize(_THUMBNAIL)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setAccessibleName("The surface, lit from the top left")
        self.shape: dict[str, QuantitySlider] = {}
        self.slopes = tuple(QuantitySlider(session.theme, rule, Track(-45.0, 45.0), usual="level") for rule in _SLOPES)
        self._grid = slider_grid()
        self._lay_out()

    def refresh(self) -> None:
        """Show the choices."""
        setup = self._flow.setup
        self._fill_choice()
        made = setup.source == MADE
        self._size_row.setVisible(made)
        self.edge.show_data(setup.specimen.rows)
        if self.pixel.value != setup.specimen.pixel_size_nm:
            self.pixel.set_value(setup.specimen.pixel_size_nm)
        self._show_shape(setup.specimen if made else None)
        for slider, angle in zip(self.slopes, setup.slope_deg, strict=True):
            slider.show_value(angle, angle != 0.0)

    def show_terrain(self, terrain: Terrain) -> None:
        """Tell of the surface that is there now."""
        if terrain is self._shown:
            return
        self._shown = terrain
        (rows, columns), size = terrain.shape, terrain.pixel_size_nm
        step = max(1, max(rows, columns) // 256)
        few = terrain.height[::step, ::step]
        width, height = format_length(columns * size, 3), format_length(rows * size, 3)
        lines = [
            f"{columns} × {rows} px",
            f"{width} × {height}",
            f"{format_length(float(few.max() - few.min()), 3)} high",
        ]
        self.facts.setText("\n".join(lines))
        image = shaded(few, 2 * _THUMBNAIL.width(), 2 * _THUMBNAIL.height())
        pixmap = QtGui.QPixmap.fromImage(image)
        pixmap.setDevicePixelRatio(2.0)
        self.picture.setPixmap(pixmap)

    def _lay_out(self) -> None:
        head = QtWidgets.QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(self.picture)
        head.addWidget(self.facts, 1)
        self._size_row = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(self._size_row)
        row.setContentsMargins(0, 0, 0, 0)
        caption = QtWidgets.QLabel("Pixel")
        caption.setBuddy(self.pixel)
        row.addWidget(self.edge, 1)
        row.addWidget(caption)
        row.addWidget(self.pixel)
        self.pixel.setMaximumWidth(86)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.choice)
        layout.addLayout(head)
        layout.addWidget(self._size_row)
        layout.addLayout(self._grid)
        for place, slider in enumerate(self.slopes):
            slider.setObjectName(str(place))
            slider.moved.connect(self._set_slope)
            slider.reset_asked.connect(self._level)
        self._rows: list[QuantitySlider] = []

    def _fill_choice(self) -> None:
        wanted = surface_choices(self._session.project, self._flow.loaded)
        if self._offered != wanted:
            self._offered = wanted
            self.choice.clear()
            for text, data in wanted:
                self.choice.addItem(text, data) if data else self.choice.insertSeparator(self.choice.count())
        setup = self._flow.setup
        self.choice.show_data(f"{MADE}:{setup.specimen.kind}" if setup.source == MADE else setup.source)

    def _show_shape(self, specimen: Specimen | None) -> None:
        """Show a slider for each parameter of the generated surface."""
        names = surface_parameters(specimen.kind) if specimen is not None else []
        for name in names:
            if name not in self.shape:
                self.shape[name] = self._shape_slider(name)
        wanted = [*(self.shape[name] for name in names), *self.slopes]
        if wanted != self._rows:
            for slider in self._rows:
                slider.set_visible(False)
            for row, slider in enumerate(wanted):
                slider.add_to(self._grid, row)
                slider.set_visible(True)
            self._rows = wanted
        if specimen is None:
            return
        usual = surface_defaults(specimen.kind, specimen.rows, specimen.columns, specimen.pixel_size_nm)
        for name in names:
            own = getattr(specimen, name)
            default = usual.get(name, 1.0)
            self.shape[name].track = parameter_track(name, default, rule_of(Specimen, name))
            is_own = name in usual and own is not None and own != default
            self.shape[name].show_value(float(f"{default:.4g}") if own is None else own, is_own)  # fits the field

    def _shape_slider(self, name: str) -> QuantitySlider:
        rule = rule_of(Specimen, name)
        rule = replace(rule, label=short_label(name, rule.label))
        slider = QuantitySlider(
            self._session.theme, rule, parameter_track(name, 1.0, rule), usual="the usual value of this surface"
        )
        slider.setObjectName(name)
        slider.moved.connect(self._set_shape)
        slider.reset_asked.connect(self._reset_shape)
        return slider

    def _choose(self, _: int) -> None:
        chosen = str(self.choice.currentData())
        kind = chosen.removeprefix(f"{MADE}:")
        if chosen == OPEN:
            self.refresh()
            self._flow.ask_height_map()
        elif kind in SURFACE_TITLES and kind != chosen:
            self._flow.choose_specimen(kind=kind)
        else:
            self._flow.choose(source=chosen)

    def _choose_size(self, _: int) -> None:
        edge = self.edge.currentData()
        self._flow.choose_specimen(rows=edge, columns=edge)

    def _choose_pixel_size(self, value: float) -> None:
        self._flow.choose_specimen(pixel_size_nm=value)

    def _set_shape(self, value: float) -> None:
        name = self.sender().objectName()
        whole = name in ("seed", "count")
        self._flow.choose_specimen(**{name: round(value) if whole else value})

    def _reset_shape(self) -> None:
        self._flow.choose_specimen(**{self.sender().objectName(): None})

    def _set_slope(self, value: float) -> None:
        slope = list(self._flow.setup.slope_deg)
        slope[int(self.sender().objectName())] = value
        self._flow.choose(slope_deg=tuple(slope))

    def _level(self) -> None:
        slope = list(self._flow.setup.slope_deg)
        slope[int(self.sender().objectName())] = 0.0
        self._flow.choose(slope_deg=tuple(slope))
