"""What the linear reconstruction and the closed loop leave of measured images: residuals and chi-square, without any truth.

The files are those of ``shared/data/4q``; who has none gets a sentence. Detectors are the program's presets, whose dimensions are
typical and not measured, with the azimuths that the notes beside the files give: heights are no better than that. What counts
is the regional chi-square, 1 where noise explains all that is left, and where it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import brentq

from eclips_app.cli.bench_figures import without_plane
from eclips_app.cli.bench_shapes import face_tilts, sphere_diameter_nm
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.detector import Beam, Detector, presets
from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import VICKERS_FACE_DEG
from eclips_app.core.steps import ClosedLoop, Export, ReadSegments, Reconstruct, Register, StepResult, run_step

Float = NDArray[np.float64]

COLUMNS = (
    "set", "method", "pixels", "residual_grey", "residual_percent", "chi2_median", "chi2_above_2_percent", "height_range_nm",
    "outer_steps",
)  # fmt: skip
_CROP_PX = 512
_QUICK_PX = 96
_SMOOTH_PX = 4.0  #: of the linear reconstruction's chi-square, as the closed loop smooths its own
_AT_LEVEL = ", black level fitted"
_BLACK_LEVELS = (-4.0, 0.3)  #: between which the black level is sought, in parts of the mean grey value
_CHI2_DECADES = (0.0, 3.0)  #: black is what noise explains


@dataclass(frozen=True)
class RealSet:
    """A set of measured images.

    Attributes
    ----------
    folder, pattern : str
        Of the files, whose names sort into the order of `azimuths_deg`.
    preset : str
        Kind of detector; `kept`: those of its segments that were recorded, all if empty.
    azimuths_deg : tuple of float
        Of the segments, as measured on a sphere.
    diameter_um : float, optional
        Of the sphere that the images show, from its outline.
    """

    folder: str
    pattern: str
    preset: str
    azimuths_deg: tuple[float, ...]
    pixel_nm: float
    energy_kev: float
    kept: tuple[str, ...] = ()
    diameter_um: float | None = None

    def detector(self) -> Detector:
        """Give the preset with the segments of this set."""
        found = next(each for name, each in presets().items() if name.startswith(self.preset))
        segments = [each for each in found.quadrants if not self.kept or each.name in self.kept]
        if self.kept:
            segments.sort(key=lambda each: self.kept.index(each.name))
        turned = (replace(s, azimuth_deg=a) for s, a in zip(segments, self.azimuths_deg, strict=True))
        return replace(found, quadrants=tuple(turned), beam=Beam(self.energy_kev, 0.0))


_QUANTA = ("Annular 4 segments (typical)", (-172.0, 2.0, 91.0, -85.0))
_RINGS = "Two rings, 8 segments"
_EIGHT = (91.0, 89.0, -83.0, -86.0, -174.0, -171.0, 0.0, 3.0)
SETS = (
    RealSet("fei_abs3_vickers", "*.tif", "Annular 3 segments", (-150.0, 90.0, -30.0), 65.10, 7.0),
    RealSet("quanta_4q_sphere", "*.tif", *_QUANTA, 365.0, 20.0, (), 287.0),
    RealSet("quanta_4q_steppyramid", "*.tif", *_QUANTA, 48.8, 20.0),
    RealSet("quanta_4q_rough_V", "*.tif", *_QUANTA, 48.8, 20.0),
    RealSet("zeiss_qbsd_sphere", "*.tif", "Annular 4 segments, Zeiss", (-100.0, 163.0, 82.0, -1.0), 457.02, 15.0, (), 289.0),
    RealSet("quanta_8seg_Ta_sphere", "*_D?.jpg", _RINGS, _EIGHT, 324.7, 20.0, (), 267.8),
    RealSet("quanta_piezoceramic", "*_D?.jpg", _RINGS, (-174.0, 3.0, 91.0, -86.0), 58.5, 20.0, ("D5", "D8", "D1", "D4")),
)  # fmt: skip


def tables(
    shared: Path | None,
    context: Context,
    *,
    quick: bool = False,
    pictures: Path | None = None,
    only: Sequence[str] = (),
) -> list[Table]:
    """Measure the sets that are there; with `pictures` also write heights, residuals and chi-square to that folder.

    Raises
    ------
    EclipsError
        If there is none of the sets.
    """
    folder = (shared or Path()) / "data" / "4q"
    known = [each for each in SETS if (folder / each.folder).is_dir() and (not only or each.folder in only)]
    if not known:
        raise EclipsError("there are no measured images", where=str(folder), hint="Give their folder by --shared.")
    rows: list[tuple[Any, ...]] = []
    tilts: list[tuple[Any, ...]] = []
    spheres: list[tuple[Any, ...]] = []
    for number, each in enumerate(known[: 1 if quick else None]):
        context.progress(number / len(known), each.folder)
        signal, results = _runs(folder, each, _QUICK_PX if quick else _CROP_PX)
        for method, result in results.items():
            rows.append((each.folder, method, *_figures(result, signal)))
            if each.folder.endswith("vickers"):
                level = 100 * float(np.mean(result.info["offsets"])) / signal
                tilts.append((method, level, *face_tilts(result.arrays["height"], each.pixel_nm)))
            if each.diameter_um is not None:
                fitted = sphere_diameter_nm(result.arrays["height"], each.pixel_nm) / 1000
                spheres.append((each.folder, method, each.diameter_um, fitted))
            if pictures is not None:
                write_pictures(
                    pictures,
                    f"{each.folder}-{method}".replace(", ", "-").replace(" ", "-"),
                    result.arrays,
                    each.pixel_nm,
                )
    return [
        Table("Measured images", COLUMNS, tuple(rows), _NOTES),
        Table("Faces of the Vickers indent (22.0 degrees when pressed)", _TILT_COLUMNS, tuple(tilts)),
        Table("Spheres", _SPHERE_COLUMNS, tuple(spheres)),
    ]


_TILT_COLUMNS = ("method", "black_level_percent", "face_1_deg", "face_2_deg", "face_3_deg", "face_4_deg", "mean_deg")
_SPHERE_COLUMNS = ("set", "method", "outline_um", "fitted_um")
_NOTES = (
    "Presets of typical dimensions, azimuths as measured on spheres, gains that make the image level, segments registered; the "
    "middle of the field. Residual: root mean square, in grey values and in percent of the mean signal.",
    "chi2: regional (smoothed over 4 pixels), noise estimated from the images; none with three segments.",
)


@dataclass(frozen=True)
class Images:
    """The images of a set as read [k, row, col], what was found of them, and registered shifts."""

    segments: NDArray[Any]
    crop: tuple[int, int, int, int]
    shifts_px: tuple[tuple[float, float], ...]
    clip_low: float | None
    clip_high: float | None


def read_set(folder: Path, which: RealSet) -> Images:
    """Read and register the images of a set."""
    paths = tuple(str(path) for path in sorted((folder / which.folder).glob(which.pattern)))
    read = run_step("read-segments", {}, ReadSegments(paths), SilentContext())
    segments = np.stack([read.arrays[f"image/{n}"] for n in range(len(which.azimuths_deg))])
    top, left, bottom, right = read.info["crop"]
    crop = (top, left, bottom, right)
    shifts = run_step("register", {"segments": segments}, Register(crop), SilentContext()).info["shifts_px"]
    moves = tuple((float(row), float(column)) for row, column in shifts)
    return Images(segments, crop, moves, read.info["clip_low"], read.info["clip_high"])


def _runs(folder: Path, which: RealSet, edge_px: int) -> tuple[float, dict[str, StepResult]]:
    """Read, register and reconstruct the middle of a set by both methods; gives the mean grey value and the results."""
    images = read_set(folder, which)
    segments, (top, left, bottom, right) = images.segments, images.crop
    plain = Reconstruct(
        which.detector(), which.pixel_nm, _middle(images.crop, edge_px), images.shifts_px, images.clip_low,
        images.clip_high, balance="level", device="cpu",
    )  # fmt: skip
    made = {"linear": _linear(segments, plain), "standard": _standard(segments, plain)}
    if which.folder.endswith("vickers"):
        levelled = replace(plain, detector=at_black_level(segments, plain))
        made |= {
            name + _AT_LEVEL: do(segments, levelled) for name, do in (("linear", _linear), ("standard", _standard))
        }
    return float(segments[:, top:bottom, left:right].mean()), made


def _linear(segments: NDArray[Any], params: Reconstruct) -> StepResult:
    return run_step("reconstruct-linear", {"segments": segments}, params, SilentContext())


def _standard(segments: NDArray[Any], params: Reconstruct) -> StepResult:
    closed = ClosedLoop(**vars(params), draws=2)
    return run_step("reconstruct-closed-loop", {"segments": segments}, closed, SilentContext())


def at_black_level(segments: NDArray[Any], params: Reconstruct) -> Detector:
    """Give the detector with the one black level of all segments at which the faces of an indent have their angle.

    Brightness and contrast set at the microscope move it; only differences over the signal above it tell slopes.
    """
    unit = float(segments.mean())

    def moved(part: float) -> Detector:
        quadrants = tuple(replace(each, offset=part * unit) for each in params.detector.quadrants)
        return replace(params.detector, quadrants=quadrants)

    def excess(part: float) -> float:
        height = _linear(segments, replace(params, detector=moved(part))).arrays["height"]
        return face_tilts(height, params.pixel_size_nm)[-1] - VICKERS_FACE_DEG

    return moved(float(brentq(excess, *_BLACK_LEVELS, xtol=0.01)))


def _middle(crop: tuple[int, int, int, int], edge_px: int) -> tuple[int, int, int, int]:
    top, left, bottom, right = crop
    rows, columns = min(edge_px, bottom - top), min(edge_px, right - left)
    row, column = (top + bottom - rows) // 2, (left + right - columns) // 2
    return row, column, row + rows, column + columns


def _figures(result: StepResult, signal: float) -> tuple[Any, ...]:
    arrays, info = result.arrays, result.info
    residual = float(np.sqrt(np.nanmean(arrays["residual"].astype(float) ** 2)))
    chi2 = regional(arrays["chi2"]) if info.get("method") != "closed-loop" else arrays["chi2"]
    tested = chi2[np.isfinite(chi2)]
    rows, columns = arrays["height"].shape
    span = np.subtract(*np.percentile(without_plane(arrays["height"]), [99.5, 0.5]))
    return (
        f"{columns} x {rows}", residual, 100 * residual / signal,
        float(np.median(tested)) if tested.size else None, 100 * float((tested > 2).mean()) if tested.size else None,
        float(span), len(info["inner_steps"]) if "inner_steps" in info else None,
    )  # fmt: skip


def regional(chi2: NDArray[Any]) -> Float:
    """Smooth chi-square of single pixels [row, col]; NaN stays."""
    there = np.isfinite(chi2)
    share = ndimage.gaussian_filter(there.astype(float), _SMOOTH_PX)
    smooth = ndimage.gaussian_filter(np.where(there, chi2, 0.0).astype(float), _SMOOTH_PX) / np.maximum(share, 1e-9)
    return np.asarray(np.where(there, smooth, np.nan))


def write_pictures(folder: Path, name: str, arrays: dict[str, NDArray[Any]], pixel_nm: float) -> None:
    """Write the height in colours, and in grey the decades of chi-square and the residuals (middle 98 % of values)."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"height": (without_plane(arrays["height"]), "colour")}
    if np.isfinite(arrays["chi2"]).any():
        chi2 = np.log10(np.maximum(arrays["chi2"], 1e-9))
        pictures["log-chi2"] = (np.clip(chi2, *_CHI2_DECADES), "grey16")
    for number, residual in enumerate(arrays["residual"]):
        limits = np.nanpercentile(residual, [1, 99])
        pictures[f"residual-{number + 1}"] = (np.clip(residual, *limits), "grey16")
    for what, (field, kind) in pictures.items():
        params = Export(str(folder / f"{name}-{what}.png"), pixel_nm, f"{name} {what}", picture=kind)
        run_step("export", {"height": field}, params, SilentContext())
