"""The DSM's part of `eclips bench surrogates`: errors, times and gradients beside the exact model of its detector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.tables import Table

_ERRORS = (
    "Of each pixel and segment: difference to the exact model in percent of its intensity, or of a fifth of a flat's where that "
    "is larger. Steepened: as the network was trained, most specimens stretched until they hide much. Flagged: out of its range."
)


def tables(sets: Mapping[str, list[NDArray[np.float64]]], *, quick: bool = False) -> Iterable[Table]:
    """Measure on sets of surfaces (heights in pixels) by name, and on steepened specimens. `quick` takes smaller ones."""
    from eclips_app.engine.surrogates import dsm_figures

    judged = dsm_figures.Judged()
    steep = judged.steepened(4 if quick else 24, 64 if quick else 128)
    name = judged.made.detector.name
    rows = dsm_figures.accuracy(judged, {"steepened specimens": steep, **sets})
    yield _table(f"DSM of {name}: intensities", rows, _ERRORS)
    note = "Rough surface (rms slope 0.8), 32 azimuths, processor, single precision; best of three."
    yield _table("DSM: times", dsm_figures.times(judged, (256,) if quick else (512, 1024)), note)
    note = "Of the sum of squared image differences by the heights, against the exact gradient; steepened specimens."
    yield _table("DSM: gradients", dsm_figures.gradients(judged, steep[: 2 if quick else 12]), note)


def _table(title: str, rows: list[dict[str, Any]], note: str) -> Table:
    columns = tuple(rows[0])
    return Table(title, columns, tuple(tuple(row[name] for name in columns) for row in rows), (note,))
