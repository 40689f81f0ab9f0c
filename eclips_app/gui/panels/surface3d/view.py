"""The 3D panel: the surface of the selected run with what belongs to it, and its tools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length
from eclips_app.gui.flows import uncertainty
from eclips_app.gui.panels.surface3d.controls import (
    ColorControls,
    HeightControls,
    LightButton,
    RunSwitch,
    set_icons,
    tool_button,
    view_button,
)
from eclips_app.gui.panels.surface3d.surface import Surface, surface_of
from eclips_app.gui.panels.surface3d.textures import textures_of
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.background import Background
from eclips_app.gui.widgets.hatch import FlagLegend
from eclips_app.model.items import ProfileLine, Run
from eclips_app.model.project import Selection
from eclips_app.scene3d import colormaps, probe
from eclips_app.scene3d.lighting import Lighting

if TYPE_CHECKING:
    from eclips_app.gui.session import Session
    from eclips_app.gui.widgets.render_view import RenderView

_NO_RUN = "The surface appears here once it is reconstructed, or a height map is loaded."


class Surface3DPanel(QtWidgets.QWidget):
    """Shows the selected run, or the one it is compared with, as a surface; without images the selected height map."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._shown: Surface | None = None
        self._draped: tuple[object, ...] = ()
        self._failure = ""
        self.view: RenderView | None = None
        self.colors = ColorControls()
        self.heights = HeightControls()
        self.light = LightButton(Lighting())
        self.views, self.perspective = view_button(self._look, self._fit)
        self.lines = tool_button("Lines", "Show the profile lines on the surface")
        self.lines.setCheckable(True)
        self.lines.setChecked(True)
        self.switch = RunSwitch()
        self.camera = self._picture_button()
        self.message = QtWidgets.QLabel(_NO_RUN)
        self.message.setProperty("kind", "faint")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.status = QtWidgets.QLabel()
        self.status.setAccessibleName("Point under the mouse")
        self.status.setToolTip("x and y from the lower left corner of the height map; double-click to mark a point")
        self.flags = FlagLegend()
        self._stack = QtWidgets.QStackedLayout()
        self._lay_out()
        self._connect()
        self._background = Background(self)
        self._background.run(_prepare_drawing, self._on_ready)
        self.refresh()

    def refresh(self) -> None:
        """Show the state of the project."""
        project = self._session.project
        compared = project.get(Run, project.selection.compared_run_id)
        run = project.run
        self.switch.set_names(run.name if run else "", compared.name if compared and run else None)
        shown = surface_of(project, compared if self.switch.shows_b and compared else run)
        self.message.setText(self._failure or (_NO_RUN if shown is None else "Preparing the 3D view…"))
        ready = self.view is not None and shown is not None
        self._stack.setCurrentIndex(1 if ready else 0)
        for widget in (self.colors, self.heights, self.light, self.views, self.lines, self.camera):
            widget.setEnabled(ready)
        if self.view is None:
            return
        if shown is None:
            self._shown = None
            self.flags.show_flags(None)
            self.view.set_height(None)
        elif self._shown is None or shown.item is not self._shown.item:
            self._show(self.view, shown)
        self._show_lines()

    def _show(self, view: RenderView, surface: Surface) -> None:
        former, self._shown = self._shown, surface
        if former is not None and former.height is surface.height:  # a map that was placed anew, a run renamed
            return
        alike = former is not None and former.height.shape == surface.height.shape
        self.colors.offer(textures_of(surface.item, self._session.project))
        self.flags.show_flags(surface.array("flags"))
        self._color()
        view.set_height(surface.height, surface.pixel_size_nm, surface.array("mask"), keep_camera=alike)
        if not alike:
            view.choose_exaggeration()
        self.status.setText("")

    def _color(self) -> None:
        from eclips_app.gui.widgets.render_overlays import ColorScale

        texture = self.colors.chosen
        if texture is None or self.view is None or self._shown is None:
            return
        values = texture.read()
        low, high = self.colors.limits() or colormaps.auto_range(
            values, self._shown.array("mask"), symmetric=texture.is_signed
        )
        self.colors.show_limits(low, high)
        self.view.set_flags(self._shown.array("flags") if self.flags.is_on else None)
        scale = ColorScale(texture.label, self.colors.colormap_name, low, high, texture.unit)
        self.view.set_colors(values, scale)

    def _show_lines(self) -> None:
        from eclips_app.scene3d.scene import DrapedLine

        surface, view = self._shown, self.view
        if surface is None or view is None:
            return
        lines = tuple(line for line in self._session.project.of_kind(ProfileLine) if line.visible)
        lines = lines if self.lines.isChecked() else ()
        if (surface.place, lines) == self._draped:
            return
        self._draped, draped = (surface.place, lines), []
        for line in lines:
            points = shapes.dense(line.kind, line.shape.points_px)
            color = QtGui.QColor(line.color)
            draped.append(DrapedLine(surface.pixels(points), (color.redF(), color.greenF(), color.blueF())))
        view.set_lines(draped)

    # The view comes when it is known that it can

    def _on_ready(self, drawing: probe.Drawing) -> None:
        if drawing.works:
            from eclips_app.gui.widgets.render_view import RenderView

            self.view = RenderView()
            self._stack.addWidget(self.view)
            self.view.hovered.connect(self._on_hover)
            self.view.picked.connect(self._on_pick)
            self.view.exaggeration_changed.connect(self.heights.edit.set_value)
            self.view.set_lighting(self.light.lighting)
            if surface_of(self._session.project, self._session.project.run) is None:
                self.view.warm_up()
        else:
            self._failure = f"This computer cannot draw in 3D: {drawing.description}."
        self.refresh()

    def _lay_out(self) -> None:
        top, below = QtWidgets.QHBoxLayout(), QtWidgets.QHBoxLayout()
        top.addWidget(self.colors, 1)
        top.addWidget(self.switch)
        for widget in (self.heights, self.light, self.views, self.lines):
            below.addWidget(widget)
        below.addStretch(1)
        below.addWidget(self.camera)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 4)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addLayout(below)
        layout.addLayout(self._stack, 1)
        self._stack.addWidget(self.message)  # not before: without a parent it would flash up as a window of its own
        layout.addWidget(self.flags)
        layout.addWidget(self.status)
        self._draw_icons()

    def _connect(self) -> None:
        self.colors.changed.connect(self._color)
        self.flags.toggled.connect(lambda _: self._color())
        self.heights.changed.connect(self._exaggerate)
        self.heights.auto_asked.connect(self._exaggerate_auto)
        self.light.changed.connect(self._set_light)
        self.perspective.toggled.connect(self._set_perspective)
        self.lines.toggled.connect(lambda _: self._show_lines())
        self.switch.changed.connect(self.refresh)
        self._session.project.changed.connect(self._on_project)
        self._session.project.selection_changed.connect(self._on_selection)
        self._session.theme.changed.connect(self._draw_icons)

    def _on_project(self, ids: frozenset[str]) -> None:
        shown = self._shown.item if self._shown is not None else None
        if isinstance(shown, Run) and shown.set_id in ids:  # other images may lie on the surface now
            self.colors.offer(textures_of(shown, self._session.project))
            self._color()
        self.refresh()

    def _on_selection(self, selection: Selection) -> None:
        self.refresh()

    def _draw_icons(self) -> None:
        set_icons(self._session.theme, light=self.light, rotate=self.views, line=self.lines, camera=self.camera)

    # Tools

    def _look(self, preset: str) -> None:
        if self.view is not None:
            self.view.look(preset)

    def _fit(self) -> None:
        if self.view is not None:
            self.view.fit()

    def _exaggerate(self, factor: float) -> None:
        if self.view is not None:
            self.view.set_exaggeration(factor)

    def _exaggerate_auto(self) -> None:
        if self.view is not None:
            self.view.choose_exaggeration()

    def _set_light(self, lighting: Lighting) -> None:
        if self.view is not None:
            self.view.set_lighting(lighting)

    def _set_perspective(self, on: bool) -> None:
        if self.view is not None:
            self.view.set_camera(replace(self.view.camera, projection="perspective" if on else "parallel"))
            self.view.fit()

    def _picture_button(self) -> QtWidgets.QToolButton:
        button = tool_button("Picture", "Save the view as an image or copy it")
        button.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(button)
        menu.addAction("Save as PNG…", self.save_picture)
        menu.addAction("Copy", self.copy_picture)
        button.setMenu(menu)
        return button

    def save_picture(self) -> None:
        """Ask for a file and write the view to it, at twice the screen's resolution."""
        if self.view is None or self._shown is None:
            return
        name = f"{self._shown.item.name}.png"
        path = self._session.ask_save_file("Save picture", "pictures", "PNG image (*.png)", name)
        if path is None:
            return
        path = path if path.suffix else path.with_suffix(".png")
        try:
            write_png(self.view.picture(), path)
        except EclipsError as error:
            self._session.notify(str(error), "error")
        else:
            self._session.notify(f"Picture written to {path}.", "good")

    def copy_picture(self) -> None:
        """Put the view on the clipboard."""
        if self.view is not None:
            QtGui.QGuiApplication.clipboard().setImage(self.view.picture())
            self._session.notify("The picture is on the clipboard.", "info")

    # Reading

    def _on_hover(self, col: float, row: float, z_nm: float) -> None:
        self.status.setText(self._point_text(col, row, z_nm))

    def _on_pick(self, col: float, row: float, z_nm: float) -> None:
        self.status.setText(f"Marked: {self._point_text(col, row, z_nm)}")
        run = self._session.project.run
        if self._shown is not None and run is not None and self._shown.item is run:
            top, left = run.origin_px
            uncertainty.flow_of(self._session).choose(col + left, row + top)

    def _point_text(self, col: float, row: float, z_nm: float) -> str:
        surface = self._shown
        if surface is None or not np.isfinite(z_nm):
            return ""
        (size_x, size_y), (top, left) = surface.pixel_size_nm, surface.origin_px
        x_nm, y_nm = col * size_x, (surface.height.shape[0] - 1 - row) * size_y
        lengths = "   ".join(f"{n} {format_length(v)}" for n, v in (("x", x_nm), ("y", y_nm), ("z", z_nm)))
        return f"{lengths}   (pixel {col + left:.1f}, {row + top:.1f})"


def write_png(image: QtGui.QImage, path: Path) -> None:
    """Write an image as PNG, whole or not at all.

    Raises
    ------
    EclipsError
        If the file cannot be written.
    """
    file = QtCore.QSaveFile(str(path))
    if not (
        file.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
        and QtGui.QImageWriter(file, b"png").write(image)
        and file.commit()
    ):
        raise EclipsError(
            f"the picture was not written ({file.errorString()})", where=str(path), hint="Choose another folder."
        )


def _prepare_drawing() -> probe.Drawing:
    """Find out how to draw and load VTK, beside the event loop."""
    found = probe.drawing()
    if found.works:
        probe.use(found)
        import eclips_app.scene3d.scene  # noqa: F401
    return found
