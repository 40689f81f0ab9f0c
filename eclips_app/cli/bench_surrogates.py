"""Networks that stand in for the forward model: errors, times and gradients beside the exact model, and their training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli import bench_surrogates_dsm
from eclips_app.cli.heights import read_heights
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import EclipsError

_EDGE_PX = 256  #: of the pieces of measured maps
_ERROR_NOTE = (
    "Of each pixel and segment: difference to the exact model (same azimuths) in percent of its intensity, or of a fifth of a"
    " flat's where that is larger. Flagged: pixels beyond the range trained on."
)


def tables(shared: Path, context: Context, *, quick: bool = False) -> Iterable[Table]:
    """Measure; measured maps are used where the shared folder has them. `quick` takes fewer and smaller ones."""
    from eclips_app.engine.device import choose_device
    from eclips_app.engine.surrogates import figures
    from eclips_app.engine.surrogates.vft_weights import read_vft

    net, learnt = read_vft()
    unseen = figures.specimens(4 if quick else 24, 128)
    sets = {"specimens as trained on": unseen, "surfaces with usual parameters": figures.defaults(96 if quick else 192)}
    maps = measured_maps(shared / "data" / "afm", 3 if quick else 12)
    if maps:
        sets["AFM maps"] = maps
        sets["AFM maps, slopes stretched to 0.5 rms"] = [figures.stretched(m, 0.5) for m in maps]
    context.progress(0.1, "Errors")
    yield _table("Intensities against the exact model", figures.accuracy(net, learnt, sets), _ERROR_NOTE)
    note = "Horizon found minus exact, unseen specimens; blocked: azimuths in which more than the tangent plane hides the sky."
    yield _table("Horizons by the surface's inclination", figures.by_slope(net, unseen), note)
    context.progress(0.3, "Times")
    device = choose_device("auto")
    sizes = (256,) if quick else (512, 1024)
    timed = figures.times(net, sizes, choose_device("cpu"))
    timed += figures.times(net, sizes, device) if device.type != "cpu" else []
    yield _table("Times", timed, "Rough surface, 16 azimuths, four segments, single precision; best of three.")
    context.progress(0.5, "Gradients")
    note = "Of the sum of squared image differences by the heights, against the exact gradient; unseen specimens."
    yield _table("Gradients", figures.gradients(net, unseen[: 3 if quick else 12]), note)
    steps = 8 if quick else 200
    rows = figures.optimiser_curves(
        steps, 32 if quick else 64, report=lambda p: context.progress(0.6 + 0.3 * p, "Training")
    )
    note = "Held-out mean error in percent of the intensity after so many steps of six specimens; all see the same."
    yield _table("Ways of training, same small budget", rows, note)
    context.progress(0.9, "DSM")
    yield from bench_surrogates_dsm.tables(sets, quick=quick)


def _table(title: str, rows: list[dict[str, Any]], note: str) -> Table:
    columns = tuple(rows[0])
    return Table(title, columns, tuple(tuple(row[name] for name in columns) for row in rows), (note,))


def measured_maps(folder: Path, most: int) -> list[NDArray[np.float64]]:
    """Read measured maps, levelled, in pixels, the middle of each; those that cannot serve are left out."""
    found = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        try:
            read = read_heights(path, None, SilentContext())
        except EclipsError:  # no height map, other pixels, holes
            continue
        height = read.arrays["height"] / read.info["pixel_size_nm"][0]
        if min(height.shape) >= 96:
            found.append(_level(_middle(height)))
    return found[:most]


def _middle(height: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = (min(n, _EDGE_PX) for n in height.shape)
    top, left = (height.shape[0] - rows) // 2, (height.shape[1] - columns) // 2
    return height[top : top + rows, left : left + columns]


def _level(height: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the plane of least squares away."""
    row, col = np.mgrid[: height.shape[0], : height.shape[1]]
    base = np.stack([row.ravel(), col.ravel(), np.ones(height.size)], 1)
    plane = base @ np.linalg.lstsq(base, height.ravel(), rcond=None)[0]
    return np.asarray(height - plane.reshape(height.shape))
