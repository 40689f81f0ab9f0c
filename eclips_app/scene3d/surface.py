"""A height map as VTK draws it: coarse or fine triangles that carry full-resolution textures of colour and slope.

Shading comes from the slope texture in the fragment shader, not from normals of the mesh, so that a mesh of every eighth
pixel looks like the full one and holes keep their exact outline while it is turned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkTexture

from eclips_app.scene3d.arrays import HeightField, Mesh, heights_of

# VTK's own normal is replaced by that of the slope texture; the colour texture multiplies the lit white surface.
_NORMAL_DECLARATION = "uniform mat3 normalMatrix;\n"
_NORMAL = """
  vec3 slope = texture(slopes, tcoordVCVSOutput).xyz;
  if (slope.z < 0.5) discard;
  vec3 normalVCVSOutput = normalize(normalMatrix * vec3(-slope.xy / slope.z, 1.0));
  if (!gl_FrontFacing) normalVCVSOutput = -normalVCVSOutput;
"""
_COLOR = "  gl_FragData[0] *= vec4(texture(actortexture, tcoordVCVSOutput).rgb, 1.0);\n"


class Surface:
    """The actor of one height map; give it a mesh, slopes and colours, in any order and as often as needed."""

    def __init__(self) -> None:
        self.actor = vtkActor()
        self._mappers: dict[int, vtkPolyDataMapper] = {}
        self._slopes = _Texture()
        self._colors = _Texture()
        prop = self.actor.GetProperty()
        prop.SetInterpolationToPhong()
        prop.SetSpecular(0.0)
        prop.SetTexture("slopes", self._slopes.texture)
        self.actor.SetTexture(self._colors.texture)
        self.actor.ForceOpaqueOn()
        shader = self.actor.GetShaderProperty()
        shader.AddFragmentShaderReplacement("//VTK::Normal::Dec", True, _NORMAL_DECLARATION, False)
        shader.AddFragmentShaderReplacement("//VTK::Normal::Impl", True, _NORMAL, False)
        shader.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, _COLOR, False)

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides whose mesh is there."""
        return tuple(self._mappers)

    def clear(self) -> None:
        """Forget all meshes, for a height map of another shape or with other holes."""
        self._mappers.clear()
        self.actor.VisibilityOff()  # until `show`

    def add_mesh(self, mesh: Mesh) -> None:
        """Keep a mesh; its arrays are used in place and must not change otherwise."""
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(_poly_data(mesh))
        mapper.ScalarVisibilityOff()
        self._mappers[mesh.stride] = mapper

    def show(self, stride: int) -> None:
        """Draw the mesh of this stride, which must have been added."""
        self.actor.SetMapper(self._mappers[stride])
        self.actor.VisibilityOn()

    def update_heights(self, field: HeightField) -> None:
        """Move the points of all meshes to new heights of the same shape and with the same holes, in place."""
        for stride, mapper in self._mappers.items():
            data = mapper.GetInput().GetPoints().GetData()
            vtk_to_numpy(data)[:, 2] = heights_of(field, stride)
            data.Modified()
            mapper.GetInput().Modified()

    def set_slopes(self, slopes: NDArray[np.float32]) -> None:
        """Set the slopes that shade the surface: float32 [row, col, 3] as `arrays.slopes` gives them, of any resolution."""
        self._slopes.set(slopes)

    def set_colors(self, rgb: NDArray[np.uint8]) -> None:
        """Set the colours: uint8 [row, col, 3], of any resolution."""
        self._colors.set(rgb)

    def set_exaggeration(self, factor: float) -> None:
        """Draw heights larger by this factor; the data stay."""
        self.actor.SetScale(1.0, 1.0, factor)


class _Texture:
    """A texture on numpy memory."""

    def __init__(self) -> None:
        self._image = vtkImageData()
        self.texture = vtkTexture()
        self.texture.SetInputData(self._image)
        self.texture.SetColorModeToDirectScalars()  # else VTK turns floats into colours
        self.texture.InterpolateOn()
        self.texture.MipmapOn()  # slopes and colours of distant pixels are averaged instead of glittering
        self.texture.SetMaximumAnisotropicFiltering(1)  # VTK's default of 4 doubles the time of a frame in software
        self.texture.RepeatOff()
        self.texture.EdgeClampOn()
        self.set(np.full((1, 1, 3), 255, np.uint8))

    def set(self, values: NDArray[np.generic]) -> None:
        self._values = np.ascontiguousarray(values)  # VTK does not copy
        rows, columns, channels = self._values.shape
        self._image.SetDimensions(columns, rows, 1)
        self._image.GetPointData().SetScalars(numpy_to_vtk(self._values.reshape(-1, channels)))
        self._image.Modified()


def _poly_data(mesh: Mesh) -> vtkPolyData:
    points = vtkPoints()
    points.SetData(numpy_to_vtk(mesh.points))
    cells = vtkCellArray()
    if mesh.triangles.size:
        cells.SetData(3, numpy_to_vtk(mesh.triangles.ravel()))
    data = vtkPolyData()
    data.SetPoints(points)
    data.SetPolys(cells)
    data.GetPointData().SetTCoords(numpy_to_vtk(mesh.texture_coordinates))
    return data


def polyline(points: NDArray[np.float32]) -> vtkPolyData:
    """Give a line through points [n, 3]; where a point is not finite the line is broken."""
    known = np.isfinite(points.sum(axis=1))
    starts = np.flatnonzero(known[:-1] & known[1:])
    cells = np.stack([np.full(starts.size, 2), starts, starts + 1], axis=1).astype(np.int64)
    data, vertices, lines = vtkPolyData(), vtkPoints(), vtkCellArray()
    vertices.SetData(numpy_to_vtk(np.nan_to_num(points).astype(np.float32), deep=True))
    lines.ImportLegacyFormat(numpy_to_vtkIdTypeArray(cells.ravel(), deep=True))
    data.SetPoints(vertices)
    data.SetLines(lines)
    return data
