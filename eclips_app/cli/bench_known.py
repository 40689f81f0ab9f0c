"""Segment images of surfaces that are known: the reference cases of a folder, and fresh ones rendered here.

Fresh cases are rendered on a grid four times finer than the pixels and with 64 azimuths, so that they are not made with the
approximations that a reconstruction makes. Their truth is the mean of the fine heights over each pixel.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment, read_detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadSegments, Simulate, Specimen, run_step

Float = NDArray[np.float64]

SUBPIXELS = 4
AZIMUTHS = 64
PIXEL_NM = 2.0
DOSE = 10000.0
_FLAT_GREY = 20000.0  #: grey value of a flat, whatever the dose
_PATCH_PX = 24
_BRIGHTNESS = (1.0, 0.7)  #: of the two materials of a fresh case
_CONTRAST = 0.03  #: by which another material differs from the commonest


@dataclass(frozen=True)
class Case:
    """Segment images of a surface that is known."""

    name: str
    segments: NDArray[Any]  #: [k, row, col]
    detector: Detector
    pixel_size_nm: float
    height: Float  #: truth in nm
    normals: Float  #: truth [3, row, col]
    linear_nm: float | None = None  #: error of the reference linear method, where there is one
    material: NDArray[np.intp] | None = None  #: number of the material, 0 the commonest; None: one everywhere
    emission: Emission | None = None  #: what the images were rendered with, where it is a material's of the program


# The reference cases


def shared_cases(shared: Path | None) -> Iterator[Case]:
    """Read the cases of ``shared/cases``; none where the folder is absent."""
    folder = shared / "cases" if shared is not None else None
    if folder is None or not folder.is_dir():
        return
    reference = linear_values(folder / "LINEAR.txt")
    for case in sorted(path for path in folder.iterdir() if (path / "case.json").is_file()):
        facts = json.loads((case / "case.json").read_text(encoding="utf-8"))
        detector = _with_probe(read_detector(case / "detector.json"), float(facts["probe_fwhm_nm"]))
        images = run_step("read-segments", {}, ReadSegments((str(case / "quadrants.tif"),)), SilentContext()).arrays
        segments = np.stack([images[f"image/{k}"] for k in range(len(detector.quadrants))])
        truth = np.load(case / "truth.npz")
        height, normals = truth["height"].astype(float), truth["normals"].astype(float)
        found = Case(
            case.name, segments, detector, float(facts["pixel_nm"]), height, normals, reference.get(case.name),
            emission=Emission("tabulated", "Cu") if "copper" in facts.get("emission", "") else None,
        )  # fmt: skip
        yield replace(found, material=_material(found)) if case.name == "composition" else found


def _with_probe(detector: Detector, fwhm_nm: float) -> Detector:
    """Let the beam have the probe that the case was rendered with."""
    return replace(detector, beam=replace(detector.beam, probe_fwhm_nm=fwhm_nm)) if detector.beam else detector


def linear_values(path: Path) -> dict[str, float]:
    """Height errors in nm by case: lines such as ``steps46  rmse  0.103 nm …``."""
    if not path.is_file():
        return {}
    words = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        return {line[0]: float(line[line.index("rmse") + 1]) for line in words if "rmse" in line}
    except (ValueError, IndexError) as error:
        raise EclipsError("a line has no number after 'rmse'", where=str(path)) from error


def _material(case: Case) -> NDArray[np.intp]:
    """Tell darker (-1) and brighter (1) materials by the images over what the true surface gives."""
    params = Simulate(case.detector, case.pixel_size_nm, azimuths=AZIMUTHS)
    made = run_step("simulate", {"height": case.height}, params, SilentContext()).arrays["segments"]
    brightness = median_filter(case.segments.sum(axis=0, dtype=float) / made.sum(axis=0, dtype=float), 3)
    contrast = brightness / np.median(brightness) - 1.0
    return np.asarray(np.sign(contrast) * (np.abs(contrast) > _CONTRAST), dtype=np.intp)


# Fresh cases


@dataclass(frozen=True)
class Recipe:
    """How to make a case; `specimen` is on the fine grid.

    Attributes
    ----------
    true_detector : Detector, optional
        What renders the images, where it is not what the reconstruction is told.
    patches : bool
        Whether the material changes in a chequered pattern that has nothing to do with the surface.
    """

    name: str
    specimen: Specimen
    detector: Detector
    dose: float = DOSE
    true_detector: Detector | None = None
    patches: bool = False

    def made(self) -> Case:
        """Render the images."""
        spacing = self.specimen.pixel_size_nm
        height = run_step("specimen", {}, self.specimen, SilentContext()).arrays["height"]
        params = Simulate(
            self.true_detector or self.detector, spacing * SUBPIXELS, self.dose, _FLAT_GREY / self.dose,
            azimuths=AZIMUTHS, subpixels=SUBPIXELS, seed=self.specimen.seed,
        )  # fmt: skip
        second = _chequered(height.shape) if self.patches else np.zeros(height.shape, bool)
        inputs = {"height": height} | ({"rho": np.where(second, *_BRIGHTNESS[::-1])} if self.patches else {})
        segments = run_step("simulate", inputs, params, SilentContext()).arrays["segments"]
        mean = np.stack([binned(part) for part in normals(height, spacing)])
        return Case(
            self.name, segments, self.detector, spacing * SUBPIXELS, binned(height), mean / np.linalg.norm(mean, axis=0),
            material=(binned(second.astype(float)) > 0.5).astype(np.intp) if self.patches else None,
        )  # fmt: skip


def recipe(
    name: str, kind: str, seed: int, pixels: int, detector: Detector | None = None, dose: float = DOSE,
    patches: bool = False, **given: Any,
) -> Recipe:  # fmt: skip
    """Give the recipe of a square field of `pixels`; `given` are fields of `Specimen`."""
    fine = pixels * SUBPIXELS
    specimen = Specimen(kind, fine, fine, PIXEL_NM / SUBPIXELS, seed, **given)
    return Recipe(name, specimen, detector or annulus(4), dose, patches=patches)


def fresh_cases(seed: int, pixels: int = 256) -> dict[str, Callable[[], Case]]:
    """Give one case of each kind by name, made when called; see `fresh_recipes`."""
    return {each.name: each.made for each in fresh_recipes(seed, pixels)}


def fresh_recipes(seed: int, pixels: int = 256) -> tuple[Recipe, ...]:
    """Give the recipe of one case of each kind; the surfaces' parameters are drawn by `seed`."""
    rng = np.random.default_rng(seed)

    def draw(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def whole() -> int:
        return int(rng.integers(2**31))

    def turn() -> float:
        return draw(-180.0, 180.0)

    edge = pixels * PIXEL_NM
    made = partial(recipe, pixels=pixels)
    return (
        made("fresh steps46", "steps", whole(), slope_angle_deg=46.0, azimuth_deg=turn(), step_height_nm=draw(14, 22),
             terrace_nm=draw(60, 90), spread=0.3),
        made("fresh spiral", "spiral", whole(), slope_angle_deg=draw(38, 48), step_height_nm=draw(12, 18),
             pitch_nm=draw(80, 110)),
        made("fresh grating78", "grating", whole(), slope_angle_deg=78.0, azimuth_deg=turn(), step_height_nm=draw(50, 80),
             pitch_nm=draw(110, 140)),
        made("fresh particles", "particles", whole(), detector=annulus(3), radius_nm=draw(26, 44), slope_angle_deg=draw(50, 70)),
        made("fresh rough", "rough", whole(), rms_slope=draw(0.3, 0.5), dose=3000.0),
        made("fresh sphere", "sphere", whole(), radius_nm=edge * draw(0.3, 0.4), slope_angle_deg=draw(50, 60)),
        made("fresh vickers", "vickers", whole(), azimuth_deg=turn()),
        made("fresh flat_relief", "rough", whole(), rms_slope=draw(0.004, 0.008), cutoff_nm=80.0, dose=20000.0),
        made("fresh composition", "steps", whole(), patches=True, slope_angle_deg=draw(28, 36), azimuth_deg=turn(),
             step_height_nm=draw(14, 22), terrace_nm=draw(60, 90)),
    )  # fmt: skip


def annulus(count: int) -> Detector:
    """Give a ring of `count` segments with gaps of 4 degrees, and a beam of 15 keV as wide as a pixel."""
    span = 360.0 / count - 4.0
    segments = tuple(Segment(f"{k + 1}", 360.0 * k / count, span, 1.0, 0.0) for k in range(count))
    return Detector(quadrants=segments, beam=Beam(15.0, PIXEL_NM))


def binned(field: Float) -> Float:
    """Give the means over pixels of `SUBPIXELS` squared samples."""
    rows, columns = (size // SUBPIXELS for size in field.shape)
    return np.asarray(field.reshape(rows, SUBPIXELS, columns, SUBPIXELS).mean(axis=(1, 3)))


def normals(height: Float, pixel_size_nm: float) -> Float:
    """Give the unit normals [3, row, col] of a height map, y up."""
    down, right = np.gradient(height, pixel_size_nm)
    return np.asarray(np.stack([-right, down, np.ones_like(height)]) / np.sqrt(1 + right**2 + down**2))


def _chequered(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Give a chequered pattern on the fine grid."""
    rows, columns = np.indices(shape) // (_PATCH_PX * SUBPIXELS)
    return np.asarray((rows + columns) % 2 == 1)
