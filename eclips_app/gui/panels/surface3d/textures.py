"""The images that can lie on a surface: what the run and its set of images offer, and how each is coloured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.model.items import HeightMap, Run, SegmentSet
from eclips_app.model.project import Project
from eclips_app.model.runs import has_values


@dataclass(frozen=True)
class Texture:
    """An image of the height map's shape; `read` gives it when it is needed."""

    key: str
    label: str
    colormap: str  #: the one to begin with
    read: Callable[[], NDArray[Any]]
    unit: str = ""
    is_signed: bool = False  #: zero is in the middle of the colours


def textures_of(run: Run | HeightMap, project: Project) -> tuple[Texture, ...]:
    """Give what can lie on the surface of a run, height first; of a height map nothing else."""
    if isinstance(run, HeightMap):
        return (Texture("height", "Height", "viridis", lambda: run.height, unit="nm"),)
    found = [Texture("height", "Height", "viridis", lambda: run.arrays["height"], unit="nm")]
    segment_set = project.get(SegmentSet, run.set_id)
    names: list[str] = []
    if segment_set is not None:
        names = [image.name for image in segment_set.images]
        for k, name in enumerate(names):
            image = _SegmentReader(run, segment_set, k)
            if image.fits:
                found.append(Texture(f"segment/{k}", f"Segment {name}", "gray", image.read, "grey"))
    if "rho" in run.arrays:
        found.append(Texture("rho", "Material", "cividis", lambda: run.arrays["rho"]))
    if "height_std" in run.arrays:
        found.append(
            Texture("height_std", "Height uncertainty", "cividis", lambda: run.arrays["height_std"], unit="nm")
        )
    for key, label in (("chi2", "χ²"), ("chi2_known", "χ², brightness of the material")):
        if has_values(run, key):
            found.append(Texture(key, label, "cividis", partial(run.arrays.__getitem__, key)))
    if "normal_error" in run.arrays:
        label = "Error of normals, by the network"
        found.append(Texture("normal_error", label, "cividis", lambda: run.arrays["normal_error"], unit="°"))
    for k in range(len(run.arrays.get("residual", ()))):
        name = names[k] if k < len(names) else str(k + 1)
        found.append(
            Texture(f"residual/{k}", f"Residual {name}", "diverging", _Layer(run, k).read, "grey", is_signed=True)
        )
    return tuple(found)


@dataclass(frozen=True)
class _Layer:
    run: Run
    index: int

    def read(self) -> NDArray[Any]:
        layer: NDArray[Any] = self.run.arrays["residual"][self.index]
        return layer


@dataclass(frozen=True)
class _SegmentReader:
    """The part of a segment's image that the height map covers, moved by the run's shift to the nearest pixel."""

    run: Run
    segment_set: SegmentSet
    index: int

    @property
    def fits(self) -> bool:
        """Whether the image still covers the height map (it may have been replaced)."""
        rows, columns = self.run.arrays["height"].shape
        top, left = self.run.origin_px
        shape = self.segment_set.images[self.index].data.shape
        return bool(top + rows <= shape[0] and left + columns <= shape[1])

    def read(self) -> NDArray[Any]:
        data = self.segment_set.images[self.index].data
        shifts = self.run.params.get("shifts_px") or ()
        down, right = shifts[self.index] if self.index < len(shifts) else (0.0, 0.0)
        rows, columns = self.run.arrays["height"].shape
        top, left = self.run.origin_px
        at_rows = np.clip(np.arange(top, top + rows) - round(down), 0, data.shape[0] - 1)
        at_columns = np.clip(np.arange(left, left + columns) - round(right), 0, data.shape[1] - 1)
        part: NDArray[Any] = data[np.ix_(at_rows, at_columns)]
        return part
