"""Figures of every method on images of known surfaces, beside sem2surface and the Cramer-Rao bound.

The bound is that of `functional-std` about the true heights, with so weak a prior (smoothing 0.01, a stiffness of 0.5 on flats)
that what the images say decides: of the angle of a face on a line one pixel wide, at one height for each pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli import bench_rival
from eclips_app.cli.bench_figures import (
    Across,
    imprint_nm,
    lines_across,
    mean_angle_deg,
    mean_over_faces,
    without_plane,
)
from eclips_app.cli.bench_known import AZIMUTHS, SUBPIXELS, Case, fresh_cases, normals, shared_cases
from eclips_app.cli.bench_targets import targets_table
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.steps import ClosedLoop, FunctionalStd, Reconstruct, run_step

Float = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

COLUMNS = (
    "case", "method", "rms_error_nm", "rms_error_percent", "over_linear", "over_linear_txt", "normal_error_deg",
    "facet_bias_deg", "facet_scatter_deg", "bound_deg", "scatter_over_bound", "step_error_percent", "edge_over_true",
    "imprint_percent", "chi2",
)  # fmt: skip
METHODS = ("linear", "sem2surface", "standard", "metrology")
WITH_TABLE = "standard, table"  #: where the images' emission is a material's
_BOUNDS = 12  #: lines whose bound is computed
_QUICK_BOUNDS = 2
_WEAK = 0.01
_FEWEST_LINES = 5
_QUICK = ("standard", 96, ("fresh steps46",))  #: method beside the linear one, pixels, cases


@dataclass(frozen=True)
class Known:
    """A case with what of its truth the figures need."""

    case: Case
    lines: Sequence[Across]
    bound_deg: float | None
    errors_nm: dict[str, float] = field(default_factory=dict)  #: of the methods measured so far


def tables(
    shared: Path | None, context: Context, *, quick: bool = False, seed: int = 1, only: Sequence[str] = ()
) -> list[Table]:
    """Measure on the cases of ``shared/cases``, if there are any, and on fresh ones; `only`: those of these names."""
    methods = ("linear", _QUICK[0]) if quick else METHODS
    chosen = list(_chosen(shared, quick=quick, seed=seed, only=only))
    rows: list[dict[str, Any]] = []
    for number, (name, made) in enumerate(chosen):
        context.progress(number / len(chosen), name)
        rows += _rows(made(), methods, _QUICK_BOUNDS if quick else _BOUNDS, context, number / len(chosen))
    notes = (
        "Height error: root mean square less a plane, also in percent of the truth's standard deviation, and over that of "
        "linear here and in LINEAR.txt.",
        "Facets: of the steepest common tilt, on lines one pixel wide. Bias: mean over facets; scatter: standard deviation of "
        "single lines. Bound: Cramer-Rao bound of the same, one height for each pixel, almost no prior: what is below it is "
        "what the prior knows.",
        "Step: mean level above less below, against truth. Edge: 10 to 90 % of a step over that of the truth. Imprint: change "
        "of the mean error across the border between materials, in percent of the step.",
        f"sem2surface {bench_rival.version()} has no scale of its own: it gets the best one, and the better sign.",
        f"'fresh …': surfaces drawn with seed {seed}, rendered at {SUBPIXELS}x with {AZIMUTHS} azimuths. Lambert emission "
        f"assumed also where copper's or another rendered the images; '{WITH_TABLE}': the program's table of copper.",
    )
    title = "Accuracy on known surfaces"
    full = Table(title, COLUMNS, tuple(tuple(row[name] for name in COLUMNS) for row in rows), notes)
    return [full, targets_table(rows)]


def _chosen(
    shared: Path | None, *, quick: bool, seed: int, only: Sequence[str]
) -> Iterator[tuple[str, Callable[[], Case]]]:
    if not quick:
        for case in shared_cases(shared):
            if not only or case.name in only:
                yield case.name, partial(_as_it_is, case)
    fresh = fresh_cases(seed, _QUICK[1]) if quick else fresh_cases(seed)
    wanted = only or (_QUICK[2] if quick else tuple(fresh))
    yield from ((name, made) for name, made in fresh.items() if name in wanted)


def _as_it_is(case: Case) -> Case:
    return case


def _rows(case: Case, methods: Sequence[str], bounds: int, context: Context, done: float) -> Iterator[dict[str, Any]]:
    lines = lines_across(case.normals)
    known = Known(case, lines, bound_deg(case, lines[:bounds]))
    for method in (*methods, *([WITH_TABLE] if case.emission is not None else [])):
        context.progress(done, f"{case.name}: {method}")
        arrays, chi2 = reconstructed(case, method)
        yield figures(known, method, arrays) | {"chi2": chi2}


def reconstructed(case: Case, method: str) -> tuple[Arrays, float | None]:
    """Give height and normals of a method, and chi-square per degree of freedom where it has one (linear: the median).

    The images hold no scan parallax: their fields are points on the scale of the detector.
    """
    if method == "sem2surface":
        height = bench_rival.height(case)
        return {"height": height, "normals": normals(height, case.pixel_size_nm)}, None
    if method == "linear":
        result = run_step("reconstruct-linear", {"segments": case.segments}, linear_settings(case), SilentContext())
        return result.arrays, result.info["chi2_median"]
    table = {"emission": case.emission} if method == WITH_TABLE else {}
    params = settings(case, method.partition(",")[0], **table)
    result = run_step("reconstruct-closed-loop", {"segments": case.segments}, params, SilentContext())
    return result.arrays, result.info["chi2"]


def settings(case: Case, quality: str, **others: Any) -> ClosedLoop:
    """Give the parameters of the closed loop; as few draws as may be, for nothing here needs them."""
    return ClosedLoop(
        case.detector, case.pixel_size_nm, scan_parallax=False, device="cpu", quality=quality, **{"draws": 2, **others}
    )


def linear_settings(case: Case) -> Reconstruct:
    """Give the parameters of the linear reconstruction."""
    return Reconstruct(case.detector, case.pixel_size_nm, scan_parallax=False, device="cpu")


def height_error_nm(case: Case) -> float:
    """Give the root mean square height error of the linear reconstruction in nm after removing a plane."""
    return float(np.std(without_plane(reconstructed(case, "linear")[0]["height"] - case.height)))


def bound_deg(case: Case, lines: Sequence[Across]) -> float | None:
    """Give the Cramer-Rao bound of the angle of a face on a single line: root mean square over the lines."""
    if not lines:
        return None
    weights = np.stack([line.slope.weights(case.height.shape) for line in lines])
    params = FunctionalStd(**vars(settings(case, "standard", smoothing=_WEAK)))
    inputs = {"segments": case.segments, "height": case.height, "weights": weights}
    slopes = np.array(run_step("functional-std", inputs, params, SilentContext()).info["std_nm"]) / case.pixel_size_nm
    angles = np.deg2rad([line.angle_deg(case.height, case.pixel_size_nm) for line in lines])
    return float(np.sqrt(np.mean(np.rad2deg(slopes * np.cos(angles) ** 2) ** 2)))


def figures(known: Known, method: str, arrays: Arrays) -> dict[str, Any]:
    """Give the figures of a height map and normals, by column."""
    case, height = known.case, np.asarray(arrays["height"], float)
    error = without_plane(height - case.height)
    rms = known.errors_nm[method] = float(np.std(error))
    angles = _angle_errors(known, height)
    scatter = float(np.std(angles)) if angles.size else None
    return {
        "case": case.name, "method": method, "rms_error_nm": rms,
        "rms_error_percent": 100 * rms / float(np.std(without_plane(case.height))),
        "over_linear": rms / known.errors_nm["linear"], "over_linear_txt": rms / case.linear_nm if case.linear_nm else None,
        "normal_error_deg": mean_angle_deg(arrays["normals"], case.normals),
        "facet_bias_deg": mean_over_faces(known.lines, angles) if angles.size else None,
        "facet_scatter_deg": scatter, "bound_deg": known.bound_deg,
        "scatter_over_bound": scatter / known.bound_deg if scatter is not None and known.bound_deg else None,
        **_step_figures(known, height, error),
    }  # fmt: skip


def _angle_errors(known: Known, height: Float) -> Float:
    size = known.case.pixel_size_nm
    return np.array([line.angle_deg(height, size) - line.angle_deg(known.case.height, size) for line in known.lines])


def _step_figures(known: Known, height: Float, error: Float) -> dict[str, Any]:
    """Give the figures of steps: their height, width and the imprint of the material; None where there are none."""
    truth = known.case.height
    steps = [(line, line.step) for line in known.lines if line.step is not None]
    if len(steps) < _FEWEST_LINES:
        return {"step_error_percent": None, "edge_over_true": None, "imprint_percent": None}
    true_steps, found = (np.array([step.of(each) for _, step in steps]) for each in (truth, height))
    widths, found_widths = (np.array([line.width_px(each) for line, _ in steps]) for each in (truth, height))
    material = known.case.material
    imprint = None if material is None else 100 * imprint_nm(error, material) / float(true_steps.mean())
    return {
        "step_error_percent": 100 * float(np.mean(found / true_steps - 1.0)),
        "edge_over_true": float(np.nanmean(found_widths) / np.nanmean(widths)),
        "imprint_percent": imprint,
    }
