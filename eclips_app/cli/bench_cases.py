"""Reference cases rendered from their true heights, against their images.

The truth is known as means over pixels. Between them it is taken as the surface of least total curvature with these means (the
sum of the absolute second differences, which facets and terraces have least of), on twice finer pixels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from eclips_app.cli.bench_known import Case, shared_cases
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.emission import Emission
from eclips_app.core.steps import Simulate, run_step

Float = NDArray[np.float64]

_BORDER = 6  #: pixels: beyond the border the cases' surfaces go on, which nobody knows
_ROUNDS = 12
_STIFFNESS = 1e3
_COLUMNS = ("case", "emission", "chi2_per_pixel", "median_over_expected", "known_material_chi2")


def residual_table(shared: Path, context: Context) -> Table:
    """Render the cases under ``shared/cases``; no rows where they are absent."""
    rows = []
    for case in shared_cases(shared):
        context.progress(0.8, f"Case {case.name}")
        facts = json.loads((shared / "cases" / case.name / "case.json").read_text(encoding="utf-8"))
        height = between_pixels(case.height / case.pixel_size_nm) * case.pixel_size_nm
        rows += [_row(case, facts, height, emission) for emission in _emissions(facts)]
    notes = (
        "Mean square residual over its variance (electrons, quantisation) with the true heights at 2x and the case's probe, all"
        f" but {_BORDER} pixels at the border. chi2: brightness of each pixel fitted (material unknown), per degree of freedom;"
        " known_material: as it is. The median is less moved by edges whose shape between pixels is not known.",
    )
    return Table("Reference cases rendered from their truth", _COLUMNS, tuple(rows), notes)


def between_pixels(means: Float) -> Float:
    """Give heights on twice finer pixels with given pixel means and least total curvature, all in pixels.

    Iteratively reweighted least squares from the cubic interpolation.
    """
    rows, columns = (2 * n for n in means.shape)
    place = np.meshgrid(*((np.arange(n) + 0.5) / 2 - 0.5 for n in (rows, columns)), indexing="ij")
    found = map_coordinates(means, place, order=3, mode="nearest").ravel()
    curvature = sparse.vstack(
        [
            sparse.kron(_difference(rows, 2), sparse.identity(columns)),
            sparse.kron(sparse.identity(rows), _difference(columns, 2)),
            np.sqrt(2.0) * sparse.kron(_difference(rows, 1), _difference(columns, 1)),
        ]
    ).tocsr()
    average = sparse.kron(*(sparse.kron(sparse.identity(n), np.full((1, 2), 0.5)) for n in means.shape)).tocsr()
    for number in range(_ROUNDS):
        softening = max(1e-3, 0.03 * 0.6**number)
        weight = 1.0 / np.sqrt((curvature @ found) ** 2 + softening**2)
        stiffness = _STIFFNESS * weight.mean()
        matrix = curvature.T @ sparse.diags_array(weight) @ curvature + stiffness * (average.T @ average)
        jacobi = sparse.diags_array(1.0 / matrix.diagonal())
        data = stiffness * (average.T @ means.ravel())
        found = sparse.linalg.cg(matrix, data, x0=found, M=jacobi, rtol=1e-7, maxiter=600)[0]
    return np.asarray(found.reshape(rows, columns))


def _difference(count: int, order: int) -> Any:
    """Give the matrix of first or second differences of `count` values."""
    values = {1: (-1.0, 1.0), 2: (1.0, -2.0, 1.0)}[order]
    return sparse.diags_array(values, offsets=range(order + 1), shape=(count - order, count), dtype=float)


def _emissions(facts: dict[str, Any]) -> list[Emission]:
    """Lambert; where the case says another emission, also the table of copper that comes with the program."""
    other = "emission" in facts or "lobe" in facts
    return [Emission(), *([Emission("tabulated", "Cu"), Emission("parametric", "Cu")] if other else [])]


def _row(case: Case, facts: dict[str, Any], height: Float, emission: Emission) -> tuple[Any, ...]:
    params = Simulate(case.detector, case.pixel_size_nm, subpixels=2, emission=emission)
    made = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"].astype(float)
    unit = float(facts["dose_per_segment"]) * float(facts["grey_per_electron"])
    inside = np.s_[:, _BORDER:-_BORDER, _BORDER:-_BORDER]
    model, grey = unit * made[inside], case.segments[inside].astype(float)
    variance = np.maximum(model * float(facts["grey_per_electron"]), 1.0) + 1 / 12
    brightness = (model * grey / variance).sum(axis=0) / (model**2 / variance).sum(axis=0)
    free = ((grey - brightness * model) ** 2 / variance).sum(axis=0) / (len(grey) - 1)
    known = (grey - model) ** 2 / variance
    return (
        case.name, emission.model, float(free.mean()), float(np.median(known) / 0.4549), float(known.mean()),
    )  # fmt: skip
