"""What the Simulate panel computes, worked out without widgets: the choices made, the microscope they mean, and the surface."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.commands.history import Edit
from eclips_app.core.detector import Beam, Bias, Detector, presets
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import Specimen
from eclips_app.core.steps import Simulate
from eclips_app.model.items import Acquisition, DetectorItem, HeightMap, Item, Run, SegmentImage, SegmentSet, new_id
from eclips_app.model.project import Project

#: Grey value of a flat in images with noise; the detector's gains and offsets come on top.
FLAT_GREY = 8000.0
_DRAFT_RAYS = 40
#: Where a detector file says nothing of the beam.
USUAL_BEAM = Beam(15.0, 0.0)
MADE = "made"  #: `Setup.source` of a generated surface
NETWORKS = ("vft", "dsm")
FILE = "file"  #: `Setup.source` of a height map read from a file, which is no part of the project


@dataclass(frozen=True)
class Setup:
    """Everything that is chosen in the panel."""

    source: str = MADE  #: MADE, FILE, or the id of a run or height map
    specimen: Specimen = field(default_factory=lambda: Specimen("vickers", 512, 512, 10.0, 1))
    slope_deg: tuple[float, float] = (0.0, 0.0)  #: inclination of a plane that is added to the heights, along x and y
    base: str = ""  #: name of a preset; empty: the project's detector
    changes: tuple[tuple[str, float], ...] = ()  #: values of the detector that differ from the base, by key
    dose: float | None = 4000.0
    model: str = "bsesm"
    weights: str = ""  #: file of a network; empty: the one that comes with the program
    emission: Emission = field(default_factory=Emission)
    delocalised: bool = False
    rays: int = 400

    @property
    def is_network(self) -> bool:
        """Whether a neural network imitates the exact model."""
        return self.model in NETWORKS

    @property
    def is_made(self) -> bool:
        """Whether the surface is a generated one."""
        return self.source == MADE

    def with_change(self, key: str, value: float | None) -> Setup:
        """Give the detector another value under a key; None takes the base's again."""
        kept = {name: old for name, old in self.changes if name != key}
        return replace(self, changes=tuple(({**kept, key: value} if value is not None else kept).items()))


@dataclass(frozen=True, eq=False)
class Terrain:
    """A surface that is there: heights [row, col] in nm, all finite, on square pixels."""

    source: Specimen | Run | HeightMap  #: what it was made of
    name: str
    height: NDArray[Any]
    pixel_size_nm: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.height.shape
        return rows, columns


@lru_cache(maxsize=1)
def known_presets() -> dict[str, Detector]:
    """Give the detectors that come with the program, read once: a slider asks at every step."""
    return presets()


def base_detector(setup: Setup, project: Project) -> Detector:
    """Give the detector before any change: the chosen preset, else the project's, else a usual one."""
    known = known_presets()
    if setup.base in known:
        return known[setup.base]
    return project.detector or next(each for each in known.values() if len(each.quadrants) == 4)


def detector_of(setup: Setup, project: Project) -> Detector:
    """Give the detector with all changes; where the energy matters and the file has none, with the usual beam.

    How it was calibrated is left out: it changes no image.

    Raises
    ------
    EclipsError
        If the beam could not reach the specimen.
    """
    detector = replace(base_detector(setup, project), calibration=None)
    for key, value in setup.changes:
        detector = _put(detector, key, value)
    beam = detector.beam or USUAL_BEAM
    if detector.bias or detector.response or setup.delocalised or setup.emission.model != "lambert":
        detector = replace(detector, beam=beam)
    if detector.bias is not None and 1e-3 * -detector.bias.specimen_v >= beam.energy_kev:
        raise EclipsError(
            f"a specimen at {detector.bias.specimen_v:g} V turns a beam of {beam.energy_kev:g} keV back",
            hint="Lower the bias or raise the energy.",
        )
    return detector


def detector_value(detector: Detector, key: str) -> float:
    """Give a value of a detector by its key; where the file has none, the usual one."""
    group, _, name = key.partition(".")
    if group == "beam":
        return float(getattr(detector.beam or USUAL_BEAM, name))
    if group == "bias":
        return float(getattr(detector.bias or Bias(), name))
    value = getattr(detector, group)
    return float(value[int(name)]) if name else float(value)


def _put(detector: Detector, key: str, value: float) -> Detector:
    group, _, name = key.partition(".")
    if group == "beam":
        return replace(detector, beam=replace(detector.beam or USUAL_BEAM, **{name: value}))
    if group == "bias":
        return replace(detector, bias=replace(detector.bias or Bias(), **{name: value}))
    old = getattr(detector, group)
    changed: dict[str, Any] = {
        group: tuple(value if i == int(name) else each for i, each in enumerate(old)) if name else value
    }
    return replace(detector, **changed)


def simulate_params(
    setup: Setup, detector: Detector, pixel_size_nm: float, factor: int = 1, *, draft: bool = False
) -> Simulate:
    """Give the parameters of the step; with `factor` for a surface binned by it, whose noise in all is the same."""
    dose = None if setup.dose is None else setup.dose * factor**2
    return Simulate(
        detector=detector,
        pixel_size_nm=pixel_size_nm * factor,
        dose=dose,
        grey_per_electron=1.0 if dose is None else FLAT_GREY / dose,
        azimuths=32 if draft else 64,
        model=setup.model,
        weights=setup.weights if setup.is_network else "",
        emission=setup.emission,
        delocalised=setup.delocalised,
        rays=min(setup.rays, _DRAFT_RAYS) if draft else setup.rays,
        scan_parallax=not draft,  # small across a field of view, and its tables take long
        draft=draft,
    )


def binned(height: NDArray[Any], factor: int) -> NDArray[Any]:
    """Average heights over blocks of `factor` by `factor`; rows and columns that fill no block are left out."""
    if factor == 1:
        return height
    rows, columns = (size // factor for size in height.shape)
    cut = height[: rows * factor, : columns * factor].astype(np.float64, copy=False)
    return np.asarray(cut.reshape(rows, factor, columns, factor).mean(axis=(1, 3)))


def with_slope(height: NDArray[Any], pixel_size_nm: float, slope_deg: tuple[float, float]) -> NDArray[Any]:
    """Add a plane inclined by these angles along x (right) and y (up)."""
    if slope_deg == (0.0, 0.0):
        return height
    rows, columns = height.shape
    right, up = (math.tan(math.radians(angle)) * pixel_size_nm for angle in slope_deg)
    x, y = np.arange(columns) - (columns - 1) / 2, (rows - 1) / 2 - np.arange(rows)
    return np.asarray(height + right * x[None, :] + up * y[:, None])


def square_pixels(height: NDArray[Any], pixel_size_nm: tuple[float, float]) -> tuple[NDArray[Any], float]:
    """Give heights on square pixels of the smaller of both sizes (x, y), interpolated linearly where they differ."""
    size_x, size_y = pixel_size_nm
    size = min(size_x, size_y)
    if max(size_x, size_y) <= 1.001 * size:
        return height, size
    axis = 1 if size_x > size else 0
    old = np.arange(height.shape[axis]) * (max(size_x, size_y) / size)
    places = np.arange(math.floor(old[-1]) + 1) * (height.shape[axis] - 1) / old[-1]
    low = np.minimum(places.astype(int), height.shape[axis] - 2)
    part = np.expand_dims(places - low, 1 - axis)
    below, above = np.take(height, low, axis), np.take(height, low + 1, axis)
    return np.asarray(below + part * (above - below)), size


def terrain_of(item: Run | HeightMap) -> Terrain:
    """Make a surface of a reconstruction or a height map.

    Raises
    ------
    EclipsError
        If there are places without a height.
    """
    if isinstance(item, Run):
        height, size = np.asarray(item.arrays["height"]), item.pixel_size_nm
    else:
        height, size = square_pixels(item.height, item.pixel_size_nm)
    gaps = height.size - int(np.count_nonzero(np.isfinite(height)))
    if gaps:
        raise EclipsError(
            f"{100 * gaps / height.size:.2g} % of the heights are missing",
            where=item.name,
            hint="Fill the gaps in the program of the instrument: an unknown height casts an unknown shadow.",
        )
    return Terrain(item, item.name, height, size)


def measured_images(project: Project, terrain: Terrain, segments: int) -> NDArray[Any] | None:
    """Give the images [k, row, col] from which a surface was reconstructed, at its places; None if there are none.

    Registered segments are moved by whole pixels.
    """
    run = terrain.source
    segment_set = project.get(SegmentSet, run.set_id) if isinstance(run, Run) else None
    if not isinstance(run, Run) or segment_set is None or len(segment_set.images) != segments:
        return None
    found = []
    for k, image in enumerate(segment_set.images):
        shift = segment_set.shifts_px[k] if segment_set.shifts_px else (0.0, 0.0)
        places = [
            np.clip(np.arange(size) + first - round(moved), 0, whole - 1)
            for size, first, moved, whole in zip(terrain.shape, run.origin_px, shift, image.data.shape, strict=True)
        ]
        found.append(image.data[np.ix_(*places)])
    return np.stack(found)


def free_name(project: Project, terrain: Terrain) -> str:
    """Give a name for simulated images that no set of the project has."""
    taken = {segment_set.name for segment_set in project.of_kind(SegmentSet)}
    name = f"Simulated {terrain.name}"
    return next(each for i in range(1, len(taken) + 2) if (each := name if i == 1 else f"{name} {i}") not in taken)


def edit_of(
    name: str,
    item: DetectorItem | None,
    terrain: Terrain,
    detector: Detector,
    height: NDArray[Any],
    images: NDArray[Any],
) -> Edit:
    """Give the edit that puts simulated images [k, row, col], their detector and the true heights into the project.

    `item` is the project's detector; it is replaced if it is another one.
    """
    segment_set = _segment_set(name, terrain, detector, images)
    heights = np.asarray(height - height.mean(), dtype=np.float32)  # as a reconstruction: zero on average
    heights.setflags(write=False)
    rows, columns = heights.shape
    truth = HeightMap(
        new_id(), f"True surface of {segment_set.name}", heights, (terrain.pixel_size_nm,) * 2, "simulated",
        center_px=((columns - 1) / 2, (rows - 1) / 2),
    )  # fmt: skip
    changes: dict[str, Item | None] = {segment_set.id: segment_set, truth.id: truth}
    if item is None or replace(item.detector, calibration=None) != detector:
        known = replace(detector, calibration={"method": "simulated"})
        changed = DetectorItem(item.id if item else new_id(), known)
        changes[changed.id] = changed
    return Edit(f"Use {name}", changes)


def _segment_set(name: str, terrain: Terrain, detector: Detector, images: NDArray[Any]) -> SegmentSet:
    size, found = terrain.pixel_size_nm, []
    for k, segment in enumerate(detector.quadrants):
        data = np.ascontiguousarray(images[k])
        data.setflags(write=False)
        facts = Acquisition(
            instrument="Simulation", detector=detector.name, segment=segment.name, pixel_size_nm=size,
            energy_kev=(detector.beam or USUAL_BEAM).energy_kev, scan_rotation_deg=0.0,
        )  # fmt: skip
        sha256 = hashlib.sha256(data.tobytes()).hexdigest()
        found.append(SegmentImage(segment.name, data, facts, "simulated", k, sha256))
    rows, columns = images.shape[1:]
    top = 65535.0 if images.dtype == np.uint16 else None
    return SegmentSet(new_id(), name, tuple(found), size, "simulated", (0, 0, rows, columns), clip_high=top)
