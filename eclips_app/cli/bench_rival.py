"""Heights of sem2surface (https://pypi.org/project/sem2surface, BSD-3), which benchmarks compare ours with.

It has no absolute height scale and does not know which way its second component points: its height is scaled by the best single
factor against the truth, and the better of both signs is taken.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.bench_figures import without_plane
from eclips_app.cli.bench_known import Case
from eclips_app.core.errors import EclipsError

Float = NDArray[np.float64]


def version() -> str:
    """Give the version that is installed."""
    try:
        return importlib.metadata.version("sem2surface")
    except importlib.metadata.PackageNotFoundError as error:
        hint = "Install the development requirements: pip install -e .[dev]"
        raise EclipsError("sem2surface, which this benchmark compares with, is not installed", hint=hint) from error


def height(case: Case) -> Float:
    """Give its height in nm at its best scale and sign.

    A plane in the truth is nothing that it could know: its height gets the truth's.
    """
    truth = without_plane(case.height)
    found = [scaled(without_plane(each), truth) for each in _heights(case.segments)]
    best = min(found, key=lambda each: float(np.std(each - truth)))
    return np.asarray(best + (case.height - truth))


def scaled(given: Float, truth: Float) -> Float:
    """Bring a height, both without their planes, to the truth by the best single factor."""
    power = float(np.sum(given * given))
    return np.asarray(given * (float(np.sum(truth * given)) / power if power > 0 else 0.0))


def _heights(segments: NDArray[Any]) -> Iterator[Float]:
    """Heights in its own units: its principal components, its direction, its integration, both signs."""
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
