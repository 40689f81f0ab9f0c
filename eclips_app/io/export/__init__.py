"""Writing height maps to files; the suffix says how. What is written here is known to other programs.

All files share one frame: x runs right, y up, z up, the origin at the centre of the bottom-left pixel; lengths in nm unless the
format has a unit of its own. Where there is no height, tables leave the point out, meshes leave a hole, and images hold NaN.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, Export, StepResult
from eclips_app.io.atomic import whole_file
from eclips_app.plugin_api import registry
from eclips_app.plugin_api.protocols import Surface

Writer = Callable[[Path, Surface, Context], None]


@dataclass(frozen=True)
class Format:
    """A kind of file that the program writes by itself."""

    text: str  #: what a file dialog shows
    function: str  #: "module:function" in this package


_FORMATS = {
    ".tif": Format("TIFF, 32-bit heights in nm", "raster:write_tiff"),
    ".csv": Format("Table of points", "raster:write_csv"),
    ".gwy": Format("Gwyddion", "raster:write_gwy"),
    ".sdf": Format("SDF, ISO 25178-71", "interchange:write_sdf"),
    ".sur": Format("SUR, Digital Surf", "interchange:write_sur"),
    ".stl": Format("STL, binary", "mesh:write_stl"),
    ".ply": Format("PLY, binary", "mesh:write_ply"),
    ".vtp": Format("VTK surface", "mesh:write_vtp"),
    ".png": Format("PNG picture", "picture:write_png"),
}
_GREY16 = Format("PNG, 16-bit grey", "picture:write_grey16")
_ALIASES = {".tiff": ".tif"}


def formats() -> dict[str, str]:
    """Give the suffixes that can be written, plugins included, with the words for a file dialog."""
    own = {suffix: known.text for suffix, known in _FORMATS.items()}
    plugins = registry.exporter_suffixes()
    return own | {s: f"{s[1:].upper()} ({Path(plugins[s]).name})" for s in plugins if s not in own}


def export_step(inputs: Arrays, params: Export, context: Context) -> StepResult:
    """Write a height map; the step ``export``. Gives ``info["path"]``.

    Raises
    ------
    EclipsError
        If the format is not known, the file is an input, or it cannot be written; what stood there is then untouched.
    """
    path = Path(params.path)
    write = writer_for(path, grey16=params.picture == "grey16")
    if path.resolve() in {Path(p).resolve() for p in params.keep_paths}:
        raise EclipsError("this file is an input and is not overwritten", where=str(path), hint="Choose another name.")
    surface = _surface(inputs, params)
    with whole_file(path) as temporary:
        write(temporary, surface, context)
    context.progress(1.0, "Written")
    return StepResult(info={"path": str(path)})


def writer_for(path: Path, *, grey16: bool = False) -> Writer:
    """Give the function that writes files of a path's suffix; raises `EclipsError` if there is none."""
    suffix = path.suffix.lower()
    suffix = _ALIASES.get(suffix, suffix)
    known = _GREY16 if grey16 and suffix == ".png" else _FORMATS.get(suffix)
    if known is not None:
        module, _, function = known.function.partition(":")
        found: Writer = getattr(importlib.import_module(f"{__name__}.{module}"), function)
        return found
    plugin = registry.exporter_for(suffix)
    if plugin is None:
        hint = f"Choose one of {', '.join(formats())}."
        raise EclipsError(f"no format is known for the suffix '{suffix}'", where=path.name, hint=hint)
    return plugin.write


def _surface(inputs: Arrays, params: Export) -> Surface:
    height = np.asarray(inputs["height"])
    if height.ndim != 2 or min(height.shape) < 2:
        raise EclipsError(f"the height map has the shape {height.shape}", hint="Give two rows and columns or more.")
    if "mask" in inputs:
        height = np.where(inputs["mask"], height, np.float32(np.nan))
    if not np.isfinite(height).any():
        raise EclipsError("the height map holds no height anywhere")
    extras = {name: np.asarray(inputs[name]) for name in ("height_std", "normals", "texture") if name in inputs}
    for name, array in extras.items():
        if array.shape[-2:] != height.shape:
            raise EclipsError(f"'{name}' has the shape {array.shape}, the height map {height.shape}")
    return Surface(
        height, params.pixel_size_nm, params.title, provenance=params.provenance, pixel_size_y_nm=params.pixel_size_y_nm, **extras
    )  # fmt: skip
