"""Pictures of a surface without a window: thumbnails, reports and the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOImage import vtkPNGWriter

from eclips_app.core.errors import EclipsError
from eclips_app.scene3d import arrays, colormaps
from eclips_app.scene3d.scene import Scene

_WHITE = (1.0, 1.0, 1.0)


def picture(
    height: NDArray[np.floating],
    pixel_size_nm: float | tuple[float, float],
    size: tuple[int, int] = (800, 600),
    *,
    valid: NDArray[np.bool_] | None = None,
    colormap: str = "viridis",
    view: str = "isometric",
    exaggeration: float | None = None,
    background: tuple[float, float, float] = _WHITE,
) -> NDArray[np.uint8]:
    """Draw a height map [row, col] in nm as [row, col, 3] red, green, blue of `size` (width, height).

    Parameters
    ----------
    view : str
        One of `camera.PRESETS`.
    exaggeration : float or None
        Factor for the heights; None chooses one that shows the relief (`Scene.auto_exaggeration`).

    Raises
    ------
    EclipsError
        If the map cannot be drawn, or nothing can be drawn on this computer.
    """
    field = arrays.height_field(height, pixel_size_nm, valid)
    # More triangles than pixels would not be seen.
    stride = next((s for s in (8, 4, 2) if max(field.shape) / s >= max(size)), 1)
    scene = Scene()
    try:
        scene.set_field(field)
        scene.set_background(background)
        scene.surface.add_mesh(arrays.mesh(field, stride))
        scene.surface.show(stride)
        scene.surface.set_slopes(arrays.slopes(field))
        low, high = colormaps.auto_range(field.height)
        scene.surface.set_colors(colormaps.colorize(field.height, colormap, low, high))
        scene.set_exaggeration(scene.auto_exaggeration() if exaggeration is None else exaggeration)
        scene.resize(*size)
        scene.look(view)
        scene.fit()
        return smooth_render(scene)
    finally:
        scene.close()


def smooth_render(scene: Scene) -> NDArray[np.uint8]:
    """Draw a scene with smooth edges (four samples a pixel) as [row, col, 3] of the scene's size, which is kept."""
    width, height = scene.width, scene.height
    scene.resize(2 * width, 2 * height)
    try:
        fine = scene.render()[..., :3].reshape(height, 2, width, 2, 3)
        mean: NDArray[np.uint8] = ((fine.astype(np.uint16).sum(axis=(1, 3)) + 2) >> 2).astype(np.uint8)
        return mean
    finally:
        scene.resize(width, height)


def png_bytes(rgb: NDArray[np.uint8]) -> bytes:
    """Encode a picture [row, col, 3] as PNG."""
    image = vtkImageData()
    image.SetDimensions(rgb.shape[1], rgb.shape[0], 1)
    values = np.ascontiguousarray(rgb[::-1]).reshape(-1, 3)  # VTK's first row is the lowest
    image.GetPointData().SetScalars(numpy_to_vtk(values))
    writer = vtkPNGWriter()
    writer.SetInputData(image)
    writer.WriteToMemoryOn()
    writer.Write()
    return bytes(vtk_to_numpy(writer.GetResult()))


def save_png(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write a picture [row, col, 3] as PNG, whole or not at all.

    Raises
    ------
    EclipsError
        If the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(png_bytes(rgb))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise EclipsError(
            f"the picture cannot be written ({error.strerror})", where=str(path), hint="Choose another folder."
        ) from error
