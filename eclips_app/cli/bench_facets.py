"""Slopes of facets: on bodies of known shape, and on reconstructions of the reference cases beside their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.bench_known import Case, shared_cases
from eclips_app.cli.tables import Table
from eclips_app.core import schema
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.crystal import FindFacets
from eclips_app.core.deviations import PARTS
from eclips_app.core.steps import ClosedLoop, Reconstruct, run_step
from eclips_app.metrology.facets.found import IMAGE_PLANE, Found
from eclips_app.metrology.facets.step import measure_regions
from eclips_app.model.facets import run_request

Float = NDArray[np.float64]

_CASES = ("steps46", "spiral45")
_STEEP_DEG = 25.0  #: of the facets that are compared
_TILTS_DEG = (10.0, 22.0, 46.0, 54.74)
_NOISES_NM = (0.0, 0.3, 1.0)
_PIXEL_NM = 2.0
_KNOWN = ("tilt_deg", "noise_nm", "facets", "mean_error_deg", "largest_error_deg", "mean_std_deg", "rms_over_std")
_COMPARED = (
    "case", "heights", "found", "compared", "slope_deg", "truth_deg", "mean_error_deg", "rms_error_deg", "mean_std_deg",
    "rms_over_std",
)  # fmt: skip


def tables(shared: Path | None, context: Context, *, quick: bool = False, seed: int = 1) -> list[Table]:
    """Measure frustums, and the cases of ``shared/cases`` where they are; `quick`: fewer, and the linear method alone."""
    return [_frustums(context, 2 if quick else 10, seed), _cases(shared, context, quick=quick)]


def frustum(tilt_deg: float, azimuth_deg: float, pixels: int = 161) -> Float:
    """Give heights in nm of a flat top with four sides of one tilt."""
    rows, columns = np.indices((pixels, pixels)) - (pixels - 1) / 2
    turns = np.radians(azimuth_deg + 90.0 * np.arange(4))
    away = np.cos(turns)[:, None, None] * columns - np.sin(turns)[:, None, None] * rows
    beyond = np.maximum(away.max(axis=0) * _PIXEL_NM - pixels * _PIXEL_NM / 4, 0.0)
    return np.asarray(-beyond * np.tan(np.radians(tilt_deg)))


def _frustums(context: Context, bodies: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    rows = []
    for tilt in _TILTS_DEG:
        for noise in _NOISES_NM:
            context.progress(0.1, f"Frustum of {tilt:g}°")
            pulls: list[tuple[float, float]] = []
            for _ in range(bodies):
                height = frustum(tilt, rng.uniform(0, 90))
                found = _find(height + rng.normal(0, noise, height.shape), _PIXEL_NM)
                pulls += [_slope(found, n) for n in found.numbers if _slope(found, n)[0] > tilt / 2]
            value, std = np.array(pulls).T
            ratio = float(np.sqrt(np.mean(((value - tilt) / std) ** 2))) if noise else None
            rows.append(
                (
                    tilt,
                    noise,
                    len(value),
                    float((value - tilt).mean()),
                    float(np.abs(value - tilt).max()),
                    float(std.mean()),
                    ratio,
                )
            )
    notes = (
        f"Four sides at random azimuths, 161 x 161 pixels of {_PIXEL_NM:g} nm, white noise; seed {seed}. rms_over_std: error "
        "over stated standard deviation, about 1 where that is right.",
    )
    return Table("Facets of frustums", _KNOWN, tuple(rows), notes)


@dataclass(frozen=True)
class _Heights:
    """Heights of a case by one way, with what "find-facets" is told of them."""

    name: str
    params: FindFacets
    inputs: dict[str, Any]


def _cases(shared: Path | None, context: Context, *, quick: bool) -> Table:
    rows: list[tuple[Any, ...]] = []
    for case in shared_cases(shared):
        if case.name in _CASES:
            rows += _rows(case, context, quick=quick)
    notes = (
        f"Slopes from the image plane, of the facets of more than {_STEEP_DEG:g} degrees that are found on the truth, each "
        "fitted to the same pixels of the truth and of the reconstruction; means weighted by area. found: facets of any slope "
        "that are found on these heights themselves.",
        "Standard deviations of the linear method hold the scatter about the planes alone; those of the closed loop the noise "
        "of the images and the scatter. The faces of steps46 are wavy, which makes them steeper than 46 degrees in places, and "
        "those of spiral45 wind: no exact planes.",
    )
    return Table("Facets of reference cases", _COMPARED, tuple(rows), notes)


def _rows(case: Case, context: Context, *, quick: bool) -> Iterator[tuple[Any, ...]]:
    size = (case.pixel_size_nm, case.pixel_size_nm)
    params = FindFacets(pixel_size_nm=size, not_stated=tuple(PARTS))
    truth = run_step("find-facets", {"height": case.height}, params, SilentContext())
    known = Found.of(truth.arrays, truth.info, schema.dump(params))
    steep = [n for n in known.numbers if _slope(known, n)[0] > _STEEP_DEG]
    weights = np.array([known.area_nm2(n).value for n in steep])
    for each in (_Heights("truth", params, {"height": case.height}), *_reconstructed(case, context, quick=quick)):
        own = run_step("find-facets", each.inputs, each.params, SilentContext())
        result = measure_regions(each.inputs, _regions(known), each.params, SilentContext())
        found = Found.of(result.arrays, result.info, schema.dump(each.params))
        reference = measure_regions({"height": case.height}, _regions(known), params, SilentContext())
        true = Found.of(reference.arrays, reference.info, schema.dump(params))
        value, std = np.array([_slope(found, n) for n in steep]).T
        expected = np.array([_slope(true, n)[0] for n in steep])
        error = value - expected
        is_truth = each.name == "truth"
        yield (
            case.name, each.name, len(own.info["facets"]) - 1, len(steep), _mean(value, weights), _mean(expected, weights),
            _mean(error, weights), float(np.sqrt(_mean(error**2, weights))), _mean(std, weights),
            None if is_truth else float(np.sqrt(_mean((error / std) ** 2, weights))),
        )  # fmt: skip


def _reconstructed(case: Case, context: Context, *, quick: bool) -> Iterator[_Heights]:
    linear = Reconstruct(case.detector, case.pixel_size_nm, scan_parallax=False, device="cpu")
    closed = ClosedLoop(case.detector, case.pixel_size_nm, scan_parallax=False, device="cpu")
    for name, step, params in (
        ("linear", "reconstruct-linear", linear), ("standard", "reconstruct-closed-loop", closed),
    )[: 1 if quick else 2]:  # fmt: skip
        context.progress(0.5, f"{case.name}: {name}")
        result = run_step(step, {"segments": case.segments}, params, SilentContext())
        told, inputs = run_request(FindFacets(), result.arrays, result.info, schema.dump(params))
        yield _Heights(name, told, inputs)


def _regions(found: Found) -> NDArray[np.int16]:
    return np.asarray(found.labels, dtype=np.int16)


def _find(height: Float, pixel_size_nm: float) -> Found:
    params = FindFacets(pixel_size_nm=(pixel_size_nm, pixel_size_nm))
    result = run_step("find-facets", {"height": height}, params, SilentContext())
    return Found.of(result.arrays, result.info, schema.dump(params))


def _slope(found: Found, number: int) -> tuple[float, float]:
    tilt = found.tilt(number, IMAGE_PLANE).quantity
    return tilt.value, tilt.std or 0.0


def _mean(values: Float, weights: Float) -> float:
    return float(values @ weights / weights.sum())
