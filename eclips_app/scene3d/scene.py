"""One drawn height map: surface, lines on it, lights and camera in an off-screen VTK window. Knows no Qt.

Pixel positions (x, y) count from the top-left corner of the picture, in device pixels. VTK runs in the thread that made
the scene.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

# Importing the back end registers it with VTK's factories; without it nothing is drawn.
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkActor, vtkLight, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow

from eclips_app.core.units import nice_step
from eclips_app.scene3d import arrays, errors
from eclips_app.scene3d import pick as picking
from eclips_app.scene3d.arrays import HeightField
from eclips_app.scene3d.camera import PRESETS, Camera
from eclips_app.scene3d.lighting import Lighting
from eclips_app.scene3d.surface import Surface, polyline

_LOWEST_SINE = 0.15  # a light at the horizon would have to be infinitely strong to keep level ground at full brightness


@dataclass(frozen=True)
class DrapedLine:
    """A line over the surface through pixel positions [n, 2] (col, row) of the height map; `color` red, green, blue 0 to 1."""

    points_px: NDArray[np.float64]
    color: tuple[float, float, float]


class Scene:
    """A surface to look at. Setters only change the state; `render` draws it."""

    def __init__(self, width: int = 400, height: int = 300) -> None:
        self.camera = Camera()
        self.surface = Surface()
        self.field: HeightField | None = None
        self._exaggeration = 1.0
        self._lighting = Lighting()
        self._lines: list[tuple[DrapedLine, vtkActor]] = []
        self._line_width_px = 2.0
        self._renderer = vtkRenderer()
        self._renderer.AutomaticLightCreationOff()
        self._renderer.SetBackgroundAlpha(1.0)  # 0 lets the desktop through on Wayland
        self._head, self._raking = vtkLight(), vtkLight()
        self._head.SetLightTypeToHeadlight()
        self._raking.SetLightTypeToSceneLight()
        for light in (self._head, self._raking):
            self._renderer.AddLight(light)
        self.set_lighting(self._lighting)
        errors.watch()
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)  # VTK's default of 8 costs four times as much in software
        self._window.AddRenderer(self._renderer)
        self._buffer = vtkUnsignedCharArray()
        self.resize(width, height)

    # What is shown

    def set_field(self, field: HeightField | None) -> None:
        """Show another height map, as yet without mesh: add one with ``surface.add_mesh`` and ``surface.show``."""
        self.field = field
        self.surface.clear()
        self._renderer.RemoveActor(self.surface.actor)
        if field is not None:
            self._renderer.AddActor(self.surface.actor)
        self.set_lines(self.lines)

    def set_background(self, rgb: tuple[float, float, float]) -> None:
        """Set the background's red, green and blue, 0 to 1."""
        self._renderer.SetBackground(*rgb)

    @property
    def lighting(self) -> Lighting:
        """The lights."""
        return self._lighting

    def set_lighting(self, lighting: Lighting) -> None:
        """Change the lights."""
        self._lighting = lighting
        a, e = math.radians(lighting.azimuth_deg), math.radians(lighting.elevation_deg)
        self._raking.SetFocalPoint(0.0, 0.0, 0.0)
        self._raking.SetPosition(math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e))
        self._raking.SetIntensity(lighting.raking / max(math.sin(e), _LOWEST_SINE))
        self._head.SetIntensity(1.0 - lighting.raking)
        prop = self.surface.actor.GetProperty()
        prop.SetAmbient(1.0 - lighting.shading)
        prop.SetDiffuse(lighting.shading)

    @property
    def exaggeration(self) -> float:
        """Factor by which heights are drawn larger."""
        return self._exaggeration

    def set_exaggeration(self, factor: float) -> None:
        """Draw heights larger by this factor; the data and what is picked stay."""
        self._exaggeration = factor
        self.surface.set_exaggeration(factor)
        for _, actor in self._lines:
            actor.SetScale(1.0, 1.0, factor)

    def auto_exaggeration(self) -> float:
        """Give the 1-2-5 step that makes the height range about a fifth of the map's width; 1 for a flat map."""
        if self.field is None or self.field.high_nm <= self.field.low_nm:
            return 1.0
        wanted = 0.2 * max(self.field.size_nm) / (self.field.high_nm - self.field.low_nm)
        if 0.4 <= wanted <= 2.0:
            return 1.0
        return min(100.0, max(0.1, nice_step(wanted)))

    @property
    def lines(self) -> tuple[DrapedLine, ...]:
        """The lines on the surface."""
        return tuple(line for line, _ in self._lines)

    def set_line_width(self, width_px: float) -> None:
        """Draw the lines this wide, in device pixels."""
        self._line_width_px = width_px
        for _, actor in self._lines:
            actor.GetProperty().SetLineWidth(width_px)

    def set_lines(self, lines: Sequence[DrapedLine]) -> None:
        """Lay lines over the surface, in place of the former ones."""
        for _, actor in self._lines:
            self._renderer.RemoveActor(actor)
        self._lines = [(line, self._line_actor(line)) for line in lines]
        for _, actor in self._lines:
            self._renderer.AddActor(actor)

    # Camera

    def fit(self, right_px: float = 0.0, bottom_px: float = 0.0) -> None:
        """Show all of the surface, from where the eye stands, beside margins kept free at the right and below."""
        if self.field is None:
            return
        right, up, eye = self.camera.axes()
        corners = self._corners()
        width, height = max(self.width - right_px, 0.3 * self.width), max(self.height - bottom_px, 0.3 * self.height)
        # A corner is in the picture if its half height, enlarged by distance / (distance - its nearness), is within half of
        # the view; the distance is view height times a constant, which makes the condition linear in the view height.
        nearness = 2.0 * math.tan(math.radians(self.camera.view_angle_deg / 2)) * (corners @ eye)
        if self.camera.projection == "parallel":
            nearness[:] = 0.0
        aside_nm, above_nm = (2.0 * np.abs(corners @ axis) * self.height for axis in (right, up))
        needed = max(np.max(aside_nm / width + nearness), np.max(above_nm / height + nearness), 1e-3)
        fitted = replace(self.camera, center_nm=(0.0, 0.0, 0.0), view_height_nm=float(1.08 * needed))
        nm_per_pixel = fitted.view_height_nm / self.height
        aside = (0.5 * (self.width - width) * nm_per_pixel, -0.5 * (self.height - height) * nm_per_pixel)
        self.camera = fitted.panned(float(aside[0]), float(aside[1]), self._exaggeration)

    def look(self, preset: str) -> None:
        """Look from one of `camera.PRESETS`."""
        azimuth, elevation = PRESETS[preset]
        self.camera = replace(self.camera, azimuth_deg=azimuth, elevation_deg=elevation)

    @property
    def nm_per_pixel(self) -> float:
        """Size of a picture's pixel at the centre of the view."""
        return self.camera.view_height_nm / self.height

    def zoom_at(self, factor: float, x: float, y: float) -> None:
        """Zoom so that what is drawn at (x, y) stays there."""
        right_nm, up_nm = ((x - self.width / 2) * self.nm_per_pixel, (self.height / 2 - y) * self.nm_per_pixel)
        zoomed = self.camera.zoomed(factor)
        kept = 1.0 - zoomed.view_height_nm / self.camera.view_height_nm
        self.camera = zoomed.panned(right_nm * kept, up_nm * kept, self._exaggeration)

    # Reading

    def pick(self, x: float, y: float) -> picking.Hit | None:
        """Give the point of the data under a pixel; None beside the surface."""
        if self.field is None:
            return None
        start, end = self._sight(x, y)
        flat = np.array([1.0, 1.0, 1.0 / self._exaggeration])
        return picking.pick(self.field.height, *(self.field.from_scene(end_point * flat) for end_point in (start, end)))

    def project(self, col: float, row: float, z_nm: float) -> tuple[float, float]:
        """Give the pixel at which a point of the data is drawn."""
        assert self.field is not None
        point = self.field.to_scene(np.array(col), np.array(row), np.array(z_nm)).astype(np.float64)
        right, up, eye = self.camera.axes()
        offset = point * (1.0, 1.0, self._exaggeration) - self._center()
        scale = 1.0 / self.nm_per_pixel
        if self.camera.projection == "perspective":
            distance = self.camera.distance_nm(self._reach())
            scale *= distance / max(distance - float(offset @ eye), 1e-9)
        return self.width / 2 + scale * float(offset @ right), self.height / 2 - scale * float(offset @ up)

    # Drawing

    def resize(self, width: int, height: int) -> None:
        """Set the picture's size in device pixels."""
        self.width, self.height = max(1, width), max(1, height)
        self._window.SetSize(self.width, self.height)

    def render(self) -> NDArray[np.uint8]:
        """Draw, and give the picture as [row, col, 4] red, green, blue, alpha, first row at the top.

        The array is valid until the next call.

        Raises
        ------
        EclipsError
            If VTK reports an error.
        """
        self._place_camera()
        self._window.Render()
        self._window.GetRGBACharPixelData(0, 0, self.width - 1, self.height - 1, 0, self._buffer, 0)
        errors.raise_new()
        picture: NDArray[np.uint8] = vtk_to_numpy(self._buffer).reshape(self.height, self.width, 4)[::-1]
        return picture

    def warm_up(self) -> None:
        """Draw a small surface unseen, so that the driver's first work (compiling shaders) is done before there is data."""
        col = np.arange(4.0)
        field = arrays.height_field(np.add.outer(col, col), 1.0)
        former = self.camera
        self.set_field(field)
        self.surface.add_mesh(arrays.mesh(field, 1))
        self.surface.show(1)
        self.surface.set_slopes(arrays.slopes(field))
        self.fit()
        self.render()
        self.set_field(None)
        self.camera = former

    def describe_graphics(self) -> str:
        """Give VTK's window class and what OpenGL says it draws with, after the first `render`."""
        report = str(self._window.ReportCapabilities())
        found = (line.partition(":")[2].strip() for line in report.splitlines() if "renderer string" in line)
        return f"{self._window.GetClassName()}: {next(found, 'unknown')}"

    def close(self) -> None:
        """Give back what the graphics driver holds; the scene cannot be used afterwards."""
        self._renderer.RemoveAllViewProps()
        self._window.Finalize()

    def _line_actor(self, line: DrapedLine) -> vtkActor:
        actor, mapper = vtkActor(), vtkPolyDataMapper()
        if self.field is not None:
            col, row = line.points_px[:, 0], line.points_px[:, 1]
            z = picking.bilinear(self.field.height, col, row)
            mapper.SetInputData(polyline(self.field.to_scene(col, row, z)))
        # Drawn a little nearer than it is: a coarse mesh may lie above the exact line.
        mapper.SetResolveCoincidentTopologyToPolygonOffset()
        mapper.SetRelativeCoincidentTopologyLineOffsetParameters(0.0, -400.0)
        actor.SetMapper(mapper)
        actor.SetScale(1.0, 1.0, self._exaggeration)
        prop = actor.GetProperty()
        prop.SetColor(*line.color)
        prop.SetLineWidth(self._line_width_px)
        prop.LightingOff()
        return actor

    def _corners(self) -> NDArray[np.float64]:
        """Give the corners of the drawn box, scene nm with exaggeration."""
        if self.field is None:
            return np.zeros((8, 3))
        width, depth = self.field.size_nm
        tall = (self.field.high_nm - self.field.low_nm) * self._exaggeration
        signs = np.array(np.meshgrid((-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5))).reshape(3, -1).T
        return signs * (width, depth, tall)

    def _center(self) -> NDArray[np.float64]:
        return np.array(self.camera.center_nm) * (1.0, 1.0, self._exaggeration)

    def _reach(self) -> float:
        """Distance from the view's centre to the farthest corner."""
        return float(np.linalg.norm(self._corners() - self._center(), axis=1).max()) * 1.01 + 1e-3

    def _sight(self, x: float, y: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the ends of the line of sight through a pixel in the scene, first the one at the eye."""
        right, up, eye = self.camera.axes()
        reach = self._reach()
        at = self._center() + self.nm_per_pixel * ((x - self.width / 2) * right + (self.height / 2 - y) * up)
        if self.camera.projection == "parallel":
            return at + eye * reach, at - eye * reach
        start = self._center() + eye * self.camera.distance_nm(reach)
        return start, at + (at - start) * (2 * reach / self.camera.distance_nm(reach))

    def _place_camera(self) -> None:
        _, up, eye = self.camera.axes()
        center, reach = self._center(), self._reach()
        distance = self.camera.distance_nm(reach)
        camera = self._renderer.GetActiveCamera()
        camera.SetParallelProjection(self.camera.projection == "parallel")
        camera.SetParallelScale(0.5 * self.camera.view_height_nm)
        camera.SetViewAngle(self.camera.view_angle_deg)
        camera.SetFocalPoint(*center)
        camera.SetPosition(*(center + eye * distance))
        camera.SetViewUp(*up)
        camera.SetClippingRange(max(distance - reach, 1e-3 * distance), distance + reach)
