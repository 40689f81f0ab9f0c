"""Height errors on images of known surfaces, beside sem2surface (https://pypi.org/project/sem2surface, BSD-3).

sem2surface has no absolute height scale and does not know which way its second component points: its height is scaled by the
best single factor against the truth, and the better of both signs is taken. Ours is as it comes.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.tables import Table
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment, read_detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ClosedLoop, ReadSegments, Reconstruct, Simulate, Specimen, run_step

Float = NDArray[np.float64]

COLUMNS = (
    "case", "rms_error_nm", "rms_error_percent", "scaled_rms_error_percent", "normal_error_deg",
    "linear_txt_nm", "ratio_to_linear_txt", "metrology_rms_error_nm", "metrology_over_linear", "metrology_error_over_std",
    "sem2surface_rms_error_nm", "sem2surface_rms_error_percent", "sem2surface_normal_error_deg", "sem2surface_over_ours",
)  # fmt: skip
_SUBPIXELS = 2
_PIXELS = 256
_PIXEL_NM = 2.0
_DOSE = 10000.0


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


def table(shared: Path | None = None) -> Table:
    """Measure on the cases of ``shared/cases``, if there are any, and on fresh ones of our own renderer."""
    rows = [_row(case) for case in (*shared_cases(shared), *_own_cases())]
    notes = (
        "Height error: root mean square after removing a plane, also in percent of the truth's standard deviation.",
        f"sem2surface {_rival_version()}: its height is scaled by the best single factor against the truth (it has no absolute "
        "scale) and the better sign of its second component is taken; ours is as it comes (scaled_rms_error: scaled like it).",
        "metrology: closed loop with 2 x 2 heights in a pixel, Lambert emission throughout; error over std is 1 where the stated "
        "standard deviation is right.",
        "linear_txt: the reference value of LINEAR.txt beside the cases. Rows 'own …': rendered here at "
        f"{_SUBPIXELS}x, {_DOSE:g} electrons per segment.",
    )
    return Table("Height error on known surfaces: linear, and closed loop (metrology)", COLUMNS, tuple(rows), notes)


def _row(case: Case) -> tuple[Any, ...]:
    arrays = reconstruct(case)
    truth, ours = _without_plane(case.height), _without_plane(arrays["height"])
    percent = 100 / float(np.std(truth))
    error = float(np.std(ours - truth))
    scaled = float(np.std(_scaled(ours, truth) - truth))
    angle = _mean_angle_deg(arrays["normals"], case.normals)
    rival, rival_angle = _rival_errors(case)
    ratio = error / case.linear_nm if case.linear_nm else None
    refined, trust = _metrology(case, truth)
    return (
        case.name, error, percent * error, percent * scaled, angle, case.linear_nm, ratio, refined, refined / error, trust,
        rival, percent * rival, rival_angle, rival / error,
    )  # fmt: skip


def _metrology(case: Case, truth: Float) -> tuple[float, float]:
    """Give the error of the closed loop with sub-pixel heights in nm, and the error over the stated standard deviation."""
    params = ClosedLoop(case.detector, case.pixel_size_nm, scan_parallax=False, device="cpu", quality="metrology")
    arrays = run_step("reconstruct-closed-loop", {"segments": case.segments}, params, SilentContext()).arrays
    error = _without_plane(arrays["height"]) - truth
    return float(np.std(error)), float(np.sqrt(np.mean((error / arrays["height_std"]) ** 2)))


def reconstruct(case: Case) -> dict[str, NDArray[Any]]:
    """Give the arrays of our reconstruction.

    The images hold no scan parallax: their fields are points on the scale of the detector.
    """
    params = Reconstruct(case.detector, case.pixel_size_nm, scan_parallax=False, device="cpu")
    return run_step("reconstruct-linear", {"segments": case.segments}, params, SilentContext()).arrays


def height_error_nm(case: Case) -> float:
    """Give the root mean square height error of our reconstruction in nm after removing a plane."""
    return float(np.std(_without_plane(reconstruct(case)["height"] - case.height)))


def _scaled(height: Float, truth: Float) -> Float:
    """Bring a height, both without their planes, to the truth by the best single factor."""
    power = float(np.sum(height * height))
    return np.asarray(height * (float(np.sum(truth * height)) / power if power > 0 else 0.0))


def shared_cases(shared: Path | None) -> Iterator[Case]:
    """Read the cases of ``shared/cases``; none where the folder is absent."""
    folder = shared / "cases" if shared is not None else None
    if folder is None or not folder.is_dir():
        return
    reference = _linear_values(folder / "LINEAR.txt")
    for case in sorted(path for path in folder.iterdir() if (path / "case.json").is_file()):
        facts = json.loads((case / "case.json").read_text(encoding="utf-8"))
        detector = _with_probe(read_detector(case / "detector.json"), float(facts["probe_fwhm_nm"]))
        images = run_step("read-segments", {}, ReadSegments((str(case / "quadrants.tif"),)), SilentContext()).arrays
        segments = np.stack([images[f"image/{k}"] for k in range(len(detector.quadrants))])
        truth = np.load(case / "truth.npz")
        height, normals = truth["height"].astype(float), truth["normals"].astype(float)
        yield Case(case.name, segments, detector, float(facts["pixel_nm"]), height, normals, reference.get(case.name))


def _with_probe(detector: Detector, fwhm_nm: float) -> Detector:
    """Let the beam have the probe that the case was rendered with."""
    return replace(detector, beam=replace(detector.beam, probe_fwhm_nm=fwhm_nm)) if detector.beam else detector


def _linear_values(path: Path) -> dict[str, float]:
    """Height errors in nm by case: lines such as ``steps46  rmse  0.103 nm …``."""
    if not path.is_file():
        return {}
    words = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        return {line[0]: float(line[line.index("rmse") + 1]) for line in words if "rmse" in line}
    except (ValueError, IndexError) as error:
        raise EclipsError("a line has no number after 'rmse'", where=str(path)) from error


def _own_cases() -> Iterator[Case]:
    kinds = ("vickers", "steps", "particles", "sphere", "rough", "spiral")
    for seed, kind in enumerate(kinds, start=11):
        detector = _annulus(3, 116.0) if kind == "particles" else _annulus(4, 86.0)
        fine = Specimen(kind, _PIXELS * _SUBPIXELS, _PIXELS * _SUBPIXELS, _PIXEL_NM / _SUBPIXELS, seed)
        height = run_step("specimen", {}, fine, SilentContext()).arrays["height"]
        params = Simulate(detector, _PIXEL_NM, _DOSE, grey_per_electron=2.0, subpixels=_SUBPIXELS, seed=seed)
        segments = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
        normals = np.stack([_binned(n) for n in _normals(height, _PIXEL_NM / _SUBPIXELS)])
        normals /= np.sqrt((normals**2).sum(axis=0))
        yield Case(f"own {kind}", segments, detector, _PIXEL_NM, _binned(height), normals)


def _annulus(count: int, span_deg: float) -> Detector:
    segments = tuple(Segment(f"{k + 1}", 360.0 * k / count, span_deg, 1.0, 0.0) for k in range(count))
    return Detector(quadrants=segments, beam=Beam(15.0, 2.0))


def _binned(field: Float) -> Float:
    rows, columns = (size // _SUBPIXELS for size in field.shape)
    return np.asarray(field.reshape(rows, _SUBPIXELS, columns, _SUBPIXELS).mean(axis=(1, 3)))


def _normals(height: Float, pixel_size_nm: float) -> Float:
    """Give the unit normals [3, row, col] of a height map, y up."""
    down, right = np.gradient(height, pixel_size_nm)
    return np.asarray(np.stack([-right, down, np.ones_like(height)]) / np.sqrt(1 + right**2 + down**2))


def _without_plane(field: NDArray[Any]) -> Float:
    rows, columns = np.indices(field.shape, float)
    design = np.column_stack([rows.ravel(), columns.ravel(), np.ones(field.size)])
    flat = np.asarray(field, float).ravel()
    return np.asarray((flat - design @ np.linalg.lstsq(design, flat, rcond=None)[0]).reshape(field.shape))


def _mean_angle_deg(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.rad2deg(np.arccos(np.clip(np.sum(a * b, axis=0), -1.0, 1.0))).mean())


# The rival


def _rival_version() -> str:
    try:
        return importlib.metadata.version("sem2surface")
    except importlib.metadata.PackageNotFoundError as error:
        hint = "Install the development requirements: pip install -e .[dev]"
        raise EclipsError("sem2surface, which this benchmark compares with, is not installed", hint=hint) from error


def _rival_errors(case: Case) -> tuple[float, float]:
    """Height error in nm and mean normal error in degrees of sem2surface, at its best scale and sign."""
    truth = _without_plane(case.height)
    found = []
    for height in _rival_heights(case.segments):
        scaled = _scaled(_without_plane(height), truth)
        # A plane in the truth is nothing that the rival could know: its normals get the truth's.
        leaning = scaled + (case.height - truth)
        angle = _mean_angle_deg(_normals(leaning, case.pixel_size_nm), case.normals)
        found.append((float(np.std(scaled - truth)), angle))
    return min(found)


def _rival_heights(segments: NDArray[Any]) -> Iterator[Float]:
    """Heights of sem2surface in its own units: its principal components, its direction, its integration, both signs."""
    import matplotlib as mpl

    mpl.use("Agg")  # sem2surface loads pyplot
    import sem2surface

    _, first, second = sem2surface.compute_image_gradients(list(segments.astype(float)))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its search
        turn = np.deg2rad(sem2surface._find_principal_angle(first, io.StringIO())[0])
    for sign in (1.0, -1.0):
        rows = np.cos(turn) * first - np.sin(turn) * sign * second
        columns = np.sin(turn) * first + np.cos(turn) * sign * second
        yield sem2surface.reconstruct_surface_fft(rows - rows.mean(), columns - columns.mean())
