"""The image half: a layer of the set or its run, with the lines and the placed map on it."""

from __future__ import annotations

from eclips_app.core.units import format_length
from eclips_app.gui.flows import uncertainty
from eclips_app.gui.flows.measure import MeasureFlow
from eclips_app.gui.flows.sampling import pixel_size_nm
from eclips_app.gui.panels.profile.layers import HEIGHT, Layer, layers
from eclips_app.gui.panels.profile.readings import quantity_text
from eclips_app.gui.panels.profile.shape_button import ShapeButton
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.hatch import FlagLegend
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.line_geometry import Point
from eclips_app.gui.widgets.line_pane import LinePane
from eclips_app.gui.widgets.shape_geometry import Points
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.model.items import HeightMap, ProfileLine
from eclips_app.model.placing import frame_map

_COLORMAPS = ("viridis", "cividis", "inferno", "CET-L1", "CET-R4")
_COLORMAP_NAMES = ("Viridis", "Cividis", "Inferno", "Grey", "Rainbow")


class ImageSide(QtWidgets.QWidget):
    """Choice of layer, drawing tool, image and the value under the mouse."""

    def __init__(self, session: Session, flow: MeasureFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._layers: list[Layer] = []
        self._shown: Layer | None = None
        self._chosen = HEIGHT  # what the user wants to see; shown as soon as it is there
        self._shape: tuple[int, ...] = ()
        self._drawn_id = ""
        self._draw_key = 0
        self.layer = _combo("Layer", "What the image shows")
        self.colormap = _combo("Colour map", "Colours of the heights")
        for name, key in zip(_COLORMAP_NAMES, _COLORMAPS, strict=True):
            self.colormap.addItem(name, key)
        self.draw = ShapeButton(session.theme)
        self.zoom_fit = ThemedButton(session.theme, "fit", "Show the whole image", "0")
        self.pane = LinePane(session.theme)
        self.pane.setMinimumSize(160, 100)
        self.flags = FlagLegend()
        self.flags.toggled.connect(self._show_flags)
        self.status = QtWidgets.QLabel()
        self.status.setProperty("kind", "faint")
        self.status.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self._lay_out()
        self._connect()

    def refresh_layers(self) -> None:
        """Read again what there is to show, and show it."""
        self._layers = layers(self._session.project, self.colormap.currentData())
        self.layer.clear()
        for layer in self._layers:
            self.layer.addItem(layer.name, layer.key)
        self.layer.setCurrentIndex(max(0, self.layer.findData(self._chosen)))
        self._show_layer()
        self._show_flags()

    def refresh_lines(self) -> None:
        """Show the lines as they are now."""
        project = self._session.project
        lines = [line for line in project.of_kind(ProfileLine) if line.visible]
        self.pane.set_lines(lines, project.selection.line_id)

    def show_map(self, placed: HeightMap | None, opacity: float) -> None:
        """Show the placed map, unless it is the image itself."""
        project = self._session.project
        alone = frame_map(project) is not None and len(project.of_kind(HeightMap)) == 1
        self.pane.set_map(None if alone else placed, pixel_size_nm(project) or 1.0, opacity)

    def _lay_out(self) -> None:
        bar = QtWidgets.QHBoxLayout()
        bar.addWidget(self.draw)
        bar.addWidget(self.layer, 2)
        bar.addWidget(self.colormap, 1)
        bar.addWidget(self.zoom_fit)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 4, 4)
        layout.setSpacing(6)
        layout.addLayout(bar)
        layout.addWidget(self.pane, 1)
        layout.addWidget(self.flags)
        layout.addWidget(self.status)

    def _connect(self) -> None:
        self.layer.activated.connect(self._on_layer)
        self.colormap.activated.connect(self._on_colormap)
        self.draw.toggled.connect(self._on_draw)
        self.zoom_fit.clicked.connect(self.pane.fit)
        pane = self.pane
        pane.tool_changed.connect(self._on_tool)
        pane.hovered.connect(self._on_hover)
        pane.clicked.connect(self._on_click)
        self.draw.kind_chosen.connect(self._on_kind)
        pane.shape_drawn.connect(self._on_drawn)
        pane.shape_moved.connect(self._flow.reshape)
        pane.width_dragged.connect(self._flow.set_width)
        pane.line_picked.connect(self._on_picked)
        pane.delete_asked.connect(self._flow.delete_line)
        pane.map_placed.connect(self._on_placed)
        pane.drag_ended.connect(self._on_drag_end)

    def _show_layer(self) -> None:
        layer = next((each for each in self._layers if each.key == self.layer.currentData()), None)
        self.colormap.setVisible(layer is not None and layer.key == HEIGHT)
        if layer is None:
            self.pane.set_image(None)
            self._shown = None
            return
        if self._shown is not None and self._shown.data is layer.data and self._shown.colormap == layer.colormap:
            return
        self.status.clear()  # it told of what was shown before
        levels = percentile_levels(layer.data)
        if layer.diverging:
            reach = max(abs(levels[0]), abs(levels[1]))
            levels = (-reach, reach)
        self._shown = layer
        self.pane.set_image(
            layer.data,
            pixel_size_nm=pixel_size_nm(self._session.project),
            origin_px=layer.origin_px,
            levels=levels,
            colormap=layer.colormap or None,
            step_px=layer.step_px,
        )
        self.pane.set_color_bar(layer.colormap, *map(layer.value_text, levels))
        self.pane.setAccessibleName(f"Image: {layer.name}")
        if self._shape != layer.data.shape:
            self._shape = layer.data.shape
            self.pane.fit()

    def _show_flags(self) -> None:
        run = self._session.project.run
        flags = run.arrays.get("flags") if run is not None else None
        self.flags.show_flags(flags)
        self.pane.set_flags(flags if self.flags.is_on else None, run.origin_px if run is not None else (0, 0))

    def _on_layer(self, _: int) -> None:
        self._chosen = self.layer.currentData()
        self._show_layer()

    def _on_colormap(self, _: int) -> None:
        self.refresh_layers()

    def _on_draw(self, on: bool) -> None:
        self.pane.set_tool("draw" if on else "move", self.draw.kind)
        if on:
            self.pane.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_kind(self, _: str) -> None:
        self._on_draw(True)

    def _on_tool(self, tool: str) -> None:
        self.draw.setChecked(tool == "draw")

    def _on_hover(self, col: float, row: float, value: object) -> None:
        if not isinstance(value, float) or self._shown is None:
            self.status.clear()
            return
        size = pixel_size_nm(self._session.project)
        place = f"{format_length(col * size)}, {format_length(row * size)}" if size else ""
        self.status.setText(f"({round(col)}, {round(row)}) px   {place}   {self._shown.value_text(value)}")

    def _on_click(self, col: float, row: float) -> None:
        asked = uncertainty.flow_of(self._session)
        asked.choose(col, row)
        report = asked.report()
        if report is not None:
            budget = f"   {report.budget.text}" if report.budget is not None else ""
            self.status.setText(f"{quantity_text(report.height_nm)}{budget}   (see Uncertainty)")

    def _on_drawn(self, kind: str, points: Points) -> None:
        if not self._drawn_id:
            self._draw_key += 1
            self._drawn_id = self._flow.new_shape(kind, points, f"draw:{self._draw_key}")
        else:
            self._flow.reshape(self._drawn_id, points, f"draw:{self._draw_key}")

    def _on_picked(self, line_id: str) -> None:
        self._session.project.select(line_id=line_id)

    def _on_placed(self, center: Point, rotation: float) -> None:
        self._flow.place_map("Place height map", "place map", center_px=center, rotation_deg=rotation)

    def _on_drag_end(self) -> None:
        self._drawn_id = ""
        self._session.history.end_merge()


def _combo(name: str, tip: str) -> QtWidgets.QComboBox:
    combo = QtWidgets.QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    return combo
