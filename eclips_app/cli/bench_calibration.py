"""Calibration of random detectors: how often intervals hold the truth; and what a calibrated emission does to facet angles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli import bench_calibration_real
from eclips_app.cli.bench_accuracy import Known, figures, height_error_nm, linear_settings, settings
from eclips_app.cli.bench_figures import Across, lines_across, mean_over_faces
from eclips_app.cli.bench_known import Case, annulus, shared_cases
from eclips_app.cli.tables import Table
from eclips_app.core.calibration import FREE, Calibrate, Flat, Observation, Parameter, Sphere, calibrated_detector
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission, calibrated_emission
from eclips_app.core.steps import ClosedLoop, Reconstruct, Simulate, StepResult, run_step
from eclips_app.core.tolerance import GEOMETRY, gain_names, offset_names

Float = NDArray[np.float64]

#: Standard deviations of a data sheet: lengths in mm, angles in degrees, gains relative, black levels in grey values.
SHEET = {
    "distance_mm": 0.3, "inner_radius_mm": 0.02, "outer_radius_mm": 0.02, "center_x_mm": 0.2, "center_y_mm": 0.2,
    "tilt_x_deg": 1.0, "tilt_y_deg": 1.0, "azimuth_deg": 1.0, "gain": 0.05, "offset": 200.0,
}  # fmt: skip
_DOSE, _GREY = 2e4, 1.0
_PIXELS, _PIXEL_NM, _RADIUS_PX, _FOOT_DEG = 160, 100.0, 72.0, 70.0
_FLAT_PIXEL_NM = 1500.0
_FLAT_TILT_DEG = 0.3
_FINE = 2
_CERTIFIED = 0.05  #: percent, of the sphere's radius
_EMISSIONS = ("emission known", Emission()), ("emission fitted", Emission("parametric"))
_NOTES = (
    "Detectors drawn about an annulus (distance 8, radii 2 and 9 mm) with a data sheet's deviations: distance 0.3, radii 0.02, "
    "offset 0.2 mm, tilt and azimuth 1 degree, gains 5 %, black levels 200 grey values (1 % of the signal). Observed: a "
    "sphere of known radius and a flat of 0.24 mm tilted by 0.3 degrees, 2e4 electrons, rendered with 2 x 2 samples in a pixel.",
    "covered: by value ± 1.96 sd. std over sheet: median of what is left of the data sheet's deviation. error: root mean square.",
)


@dataclass(frozen=True)
class Outcome:
    """One parameter of one calibration: group, error, stated and data sheet's standard deviation, and the true value."""

    group: str
    error: float
    std: float
    sheet: float
    true: float


def tables(shared: Path, context: Context, cases: int, *, seed: int = 1, quick: bool = False) -> list[Table]:
    """Count intervals, and measure facets with the emission that spheres gave; `quick`: two detectors, nothing else."""
    made = [coverage_table(*each, context, 2 if quick else cases, seed) for each in _EMISSIONS]
    if not quick and (shared / "cases").is_dir():
        made.append(facet_table(shared, context))
    if not quick:
        made += bench_calibration_real.tables(shared / "data" / "4q", context)
    return made


def coverage_table(title: str, emission: Emission, context: Context, cases: int, seed: int) -> Table:
    """Count how often intervals hold the truth over random detectors."""
    outcomes: list[Outcome] = []
    for number in range(cases):
        context.progress(number / cases, f"{title}: detector {number + 1} of {cases}")
        outcomes += list(calibrated(np.random.default_rng([seed, number]), emission))
    columns = "parameter", "intervals", "covered_percent", "std_over_sheet", "error_rms", "error_over_std"
    return Table(f"Calibration of {cases} detectors, {title}", columns, tuple(_counted(outcomes)), _NOTES)


def calibrated(rng: np.random.Generator, emission: Emission) -> Iterator[Outcome]:
    """Draw a detector, observe a sphere and a flat with it, calibrate from the data sheet, and compare."""
    sheet = annulus(4)
    true = drawn(sheet, rng)
    inputs, observations = observed(true, rng)
    names = (*GEOMETRY, *gain_names(sheet), *offset_names(sheet))
    parameters = tuple(Parameter(name, FREE, std=sheet_std(name)) for name in names)
    params = Calibrate(sheet, observations, parameters, emission, grey_per_electron=_GREY)
    info = run_step("calibrate", inputs, params, SilentContext()).info
    truth = truth_of(sheet, true)
    for row in info["parameters"]:
        if row["name"] in truth and row["std"] is not None:
            name, value = row["name"], truth[row["name"]]
            yield Outcome(_group(name), row["value"] - value, row["std"], sheet_std(name), value)


def drawn(sheet: Detector, rng: np.random.Generator) -> Detector:
    """Draw a detector within the data sheet; its gains have the mean 1."""
    from eclips_app.engine.acceptance import geometry_vector, with_geometry

    change = rng.normal(size=len(GEOMETRY)) * [SHEET[name] for name in GEOMETRY]
    moved = with_geometry(sheet, geometry_vector(sheet) + change)
    count = len(sheet.quadrants)
    gains, offsets = 1 + SHEET["gain"] * rng.normal(size=count), SHEET["offset"] * rng.normal(size=count)
    gains /= gains.mean()
    channels = zip(moved.quadrants, gains, offsets, strict=True)
    return replace(moved, quadrants=tuple(replace(s, gain=float(g), offset=float(o)) for s, g, o in channels))


def observed(true: Detector, rng: np.random.Generator) -> tuple[dict[str, NDArray[Any]], tuple[Observation, ...]]:
    """Render a sphere and a flat with a detector."""
    place = (np.arange(_PIXELS * _FINE) + 0.5) / _FINE - _PIXELS / 2
    radius, foot = _RADIUS_PX / np.sin(np.deg2rad(_FOOT_DEG)), np.deg2rad(_FOOT_DEG)
    distance = np.hypot(place[:, None], place)
    cap = np.sqrt(np.maximum(radius**2 - distance**2, 0.0)) - radius * np.cos(foot)
    tilt = np.deg2rad(_FLAT_TILT_DEG * rng.normal(size=2))
    plane = place * np.tan(-tilt[1]) - place[:, None] * np.tan(tilt[0])
    heights = (np.maximum(cap, 0.0) * _PIXEL_NM, _PIXEL_NM), (plane * _FLAT_PIXEL_NM, _FLAT_PIXEL_NM)
    inputs = {f"segments/{n}": _images(true, height, size, rng) for n, (height, size) in enumerate(heights)}
    middle = (_PIXELS - 1) / 2
    sphere = Sphere((middle, middle), _RADIUS_PX, radius * _PIXEL_NM, _CERTIFIED)
    flat = Flat((2, 2, _PIXELS - 2, _PIXELS - 2))
    return inputs, (
        Observation("sphere", _PIXEL_NM, sphere=sphere),
        Observation("flat", _FLAT_PIXEL_NM, flat=flat, tilt_std_deg=_FLAT_TILT_DEG),
    )


def _images(detector: Detector, height: Float, pixel_nm: float, rng: np.random.Generator) -> NDArray[Any]:
    params = Simulate(
        detector=detector, pixel_size_nm=pixel_nm, dose=_DOSE, grey_per_electron=_GREY, subpixels=_FINE,
        scan_parallax=True, seed=int(rng.integers(2**31)),
    )  # fmt: skip
    return run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]


def truth_of(sheet: Detector, true: Detector) -> dict[str, float]:
    """Give the true values by parameter; the azimuth as the turn from the data sheet's."""
    from eclips_app.engine.acceptance import geometry_vector

    geometry = geometry_vector(true)
    geometry[GEOMETRY.index("azimuth_deg")] = true.quadrants[0].azimuth_deg - sheet.quadrants[0].azimuth_deg
    gains, offsets = [s.gain for s in true.quadrants], [s.offset for s in true.quadrants]
    names = (*GEOMETRY, *gain_names(sheet), *offset_names(sheet))
    return dict(zip(names, [*geometry.tolist(), *gains, *offsets], strict=True))


def sheet_std(name: str) -> float:
    """Give the data sheet's deviation of a parameter."""
    return SHEET[name.split(":")[0]]


def _group(name: str) -> str:
    return name.split(":")[0] if ":" in name else name.replace("_x_", "_").replace("_y_", "_")


def _counted(outcomes: list[Outcome]) -> Iterator[tuple[Any, ...]]:
    for group in [*dict.fromkeys(o.group for o in outcomes), "all"]:
        own = [o for o in outcomes if group in (o.group, "all")]
        errors = np.array([o.error for o in own])
        ratio = np.array([o.error / o.std for o in own])
        relative = group == "all"
        yield (
            group, len(own), 100.0 * float((np.abs(ratio) <= 1.96).mean()), float(np.median([o.std / o.sheet for o in own])),
            None if relative else float(np.sqrt(np.mean(errors**2))), float(np.sqrt(np.mean(ratio**2))),
        )  # fmt: skip


def facet_table(shared: Path, context: Context) -> Table:
    """Calibrate the emission on each reference sphere and measure facets with it, beside Lambert's law and the table."""
    cases = {case.name: case for case in shared_cases(shared)}
    rows: list[tuple[Any, ...]] = []
    for name, sphere in cases.items():
        kind, _, what = name.rpartition("_")
        others = [case for other, case in cases.items() if other != name and other.startswith(f"{kind}_")]
        if what != "sphere" or not kind:
            continue
        for known in (True, False):
            info = _on_sphere(sphere, radius_nm(sphere.height) if known else None)
            fitted = calibrated_detector(info, "2000-01-01")
            for case in others:
                context.progress(0.9, f"{case.name} calibrated on {name}")
                error = info["model_error_percent"]
                rows += [
                    (case.name, how, "stated" if known else "found", bias, stated_deg, percent, error)
                    for how, bias, stated_deg, percent in _facets(case, fitted, with_others=known)
                ]
    columns = (
        "case", "emission", "radius", "facet_bias_deg", "stated_std_deg", "height_error_percent", "model_error_percent",
    )  # fmt: skip
    note = (
        "Facets of steps and indents, Standard where not Live, with the emission's coefficients of a sphere of the same series, "
        "its radius stated or found. stated std: of the facet by geometry and emission, from the calibration."
    )
    return Table("Facets after calibration on a sphere", columns, tuple(rows), (note,))


def radius_nm(height: Float, pixel_nm: float = 2.0) -> float:
    """Give the radius of the sphere that a cap is part of, from its true heights in nm."""
    inside = height > 0.2 * height.max()
    rows, columns = np.nonzero(inside)
    place = np.column_stack([rows * pixel_nm, columns * pixel_nm, height[inside]])
    terms = np.column_stack([2 * place, np.ones(len(place))])
    a, b, c, d = np.linalg.lstsq(terms, (place**2).sum(axis=1), rcond=None)[0]
    return float(np.sqrt(d + a**2 + b**2 + c**2))


def _on_sphere(case: Case, radius: float | None) -> dict[str, Any]:
    sphere = Sphere(radius_nm=radius, radius_std_percent=_CERTIFIED)
    observation = Observation(case.name, case.pixel_size_nm, sphere=sphere)
    params = Calibrate(case.detector, (observation,))
    return run_step("calibrate", {"segments/0": case.segments}, params, SilentContext()).info


def _facets(case: Case, fitted: Detector, *, with_others: bool) -> Iterator[tuple[str, float, float | None, float]]:
    """Give for each way of reading the bias of facets, their stated deviation in degrees, and the height error in percent."""
    emission = calibrated_emission(fitted)
    assert emission is not None
    live, standard = linear_settings(case), settings(case, "standard")
    ways: dict[str, Reconstruct] = {"fitted": replace(standard, emission=emission, detector=fitted)}
    if with_others:
        ways |= {"lambert": standard, "fitted, Live": replace(live, detector=fitted), "lambert, Live": live}
        ways |= {"table": replace(standard, emission=case.emission)} if case.emission is not None else {}
    known = Known(case, lines_across(case.normals), None, {"linear": height_error_nm(case)})
    for how, params in ways.items():
        step = "reconstruct-closed-loop" if isinstance(params, ClosedLoop) else "reconstruct-linear"
        result = run_step(step, {"segments": case.segments}, params, SilentContext())
        found = figures(known, how, result.arrays)
        yield how, found["facet_bias_deg"], _stated_deg(case, known.lines, result), found["rms_error_percent"]


def _stated_deg(case: Case, lines: Sequence[Across], result: StepResult) -> float | None:
    """Give the standard deviation of the facets' mean angle by what is common to the field, geometry and emission."""
    chosen = [
        n for n, (part, _) in enumerate(result.info.get("deviation_parts", ())) if part in ("geometry", "emission")
    ]
    if not chosen:
        return None
    size, height = case.pixel_size_nm, np.asarray(result.arrays["height"], float)
    total = 0.0
    for number in chosen:
        moved = height + result.arrays["deviations"][number].astype(float)
        change = [line.angle_deg(moved, size) - line.angle_deg(height, size) for line in lines]
        total += mean_over_faces(lines, np.array(change)) ** 2
    return float(total**0.5)
