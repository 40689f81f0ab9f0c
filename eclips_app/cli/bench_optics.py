"""Electron optics: how exact field and flight are, what they cost, and what a biased specimen does to the acceptance."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from eclips_app.cli.tables import Table
from eclips_app.core.context import Context
from eclips_app.core.detector import Beam, Bias, Detector, PolePiece, presets

_ENERGY_KEV = 7.0  #: of the electrons that are followed: a usual mean for a beam of 10 keV
_GEOMETRIES: dict[str, dict[str, Any]] = {
    "level": {},
    "offset and tilted": {"center_mm": (1.5, -0.7), "tilt_deg": (6.0, -4.0)},
}
_BIASES_V = (500.0, 0.0, -500.0, -2000.0, -5000.0)


_Row = tuple[str, float, float | None]


def tables(context: Context) -> list[Table]:
    """Measure, with an empty cache."""
    with _empty_cache():
        context.progress(0.0, "Electron optics: errors")
        exact = _exact()
        context.progress(0.5, "Electron optics: time")
        cost = _cost()
        context.progress(0.8, "Electron optics: bias")
        return [exact, cost, _bias()]


def _detector(specimen_v: float = 0.0, **geometry: Any) -> Detector:
    """Give the usual four-segment detector below a pole piece, at 10 keV on the specimen."""
    detector = replace(presets()["Annular 4 segments (typical)"], pole_piece=PolePiece(9.0, 1.0, 15.0))
    beam = Beam(10.0 - 1e-3 * specimen_v, 2.0)
    return replace(detector, beam=beam, bias=Bias(specimen_v, 0.0), **geometry)


def _exact() -> Table:
    rows = [*_field_rows(), *_path_rows(), *_straight_rows()]
    return Table("Electron optics: errors", ("quantity", "error", "wanted"), tuple(rows))


def _field_rows() -> Iterator[_Row]:
    from eclips_app.engine.optics import checks

    yield "capacitance of a disc, relative", checks.disc_capacitance_error(), None
    charges = checks.charge_convergence(_detector())
    yield "charges of detector, pole piece and chamber, 48 against 96 nodes, relative", charges, None


def _path_rows() -> Iterator[_Row]:
    from eclips_app.engine.optics import checks, flight

    for volts in (500.0, 5000.0, -2000.0):
        yield f"radius of the relativistic parabola, {volts:g} V, relative", checks.parabola_error(volts), 1e-4
    for volts in (-500.0, -2000.0, -5000.0, 2000.0):
        median, worst = checks.energy_errors(_detector(volts), np.array([0.3, 1.0, 3.0, 7.0, 10.0]))
        yield f"energy along the path, specimen at {volts:g} V, median, relative", median, 1e-6
        yield f"energy along the path, specimen at {volts:g} V, worst, relative", worst, 1e-6
    fine = flight.Effort(128, 181, 20, 96, 1e-10)
    one, other = (checks.edge_angles_deg(_detector(-2000.0), _ENERGY_KEV, effort) for effort in (flight.FULL, fine))
    off = float(np.abs(np.subtract(one, other)).max())
    yield "start angle that lands on the detector's edges, against a finer field and steps, degrees", off, None


def _straight_rows() -> Iterator[_Row]:
    from eclips_app.engine.acceptance import acceptance

    for name, geometry in _GEOMETRIES.items():
        straight, curved = (acceptance(_detector(volts, **geometry)) for volts in (0.0, 1e-6))
        worst = float(np.abs(straight.T - curved.T).max())
        yield f"T with a bias of 1e-6 V against straight flight, {name}, worst cell", worst, None
        off = np.abs(straight.vectors() - curved.vectors()).max() / straight.vectors().max()
        yield f"acceptance vectors likewise, {name}, relative", float(off), None


def _cost() -> Table:
    from eclips_app.engine.acceptance import acceptance

    acceptance(_detector())  # first calls
    rows = [
        (name, volts, *_times(_detector(volts, **geometry)))
        for name, geometry in _GEOMETRIES.items()
        for volts in (0.0, -2000.0)
    ]
    columns = ("detector", "specimen_v", "field_s", "trajectories_s", "acceptance_s", "draft_s")
    notes = (
        "Wall time, one thread. Field and trajectories (20 energies, 181 angles) are kept on disk afterwards; acceptance: T of"
        " 360 x 768 cells with them known. Draft: all of it for 180 x 192 cells at less effort, as for pictures that follow a"
        " slider.",
    )
    return Table("Electron optics: time", columns, tuple(rows), notes)


def _times(detector: Detector) -> tuple[float | None, float | None, float, float]:
    from eclips_app.engine.acceptance import acceptance
    from eclips_app.engine.optics import flight

    with _empty_cache():
        field = flown = None
        if not flight.is_straight(detector):
            field = _timed(lambda: flight.field(detector))
            flown = _timed(lambda: flight.landing(detector, flight.default_spectrum()))
        known = min(_timed(lambda: acceptance(detector)) for _ in range(3))
    moved = replace(detector, distance_mm=8.1)
    return field, flown, known, _timed(lambda: acceptance(moved, 180, 192, effort=flight.DRAFT))


def _bias() -> Table:
    from eclips_app.engine.acceptance import acceptance, parallax_radius_mm
    from eclips_app.engine.optics import checks

    rows = []
    for volts in _BIASES_V:
        detector = _detector(volts)
        inner, outer = checks.edge_angles_deg(detector, _ENERGY_KEV)
        vectors = acceptance(detector, 360, 384).vectors()
        east, west = vectors[0], vectors[2]
        gain = (east[0] - west[0]) / (east[2] + west[2])
        rows.append((volts, inner, outer, float(vectors[:, 2].sum()), float(gain), parallax_radius_mm(detector)[0]))
    columns = (
        "specimen_v",
        "inner_edge_deg",
        "outer_edge_deg",
        "caught_from_a_flat",
        "slope_gain",
        "parallax_radius_mm",
    )
    notes = (
        "Detector 8 mm above the specimen, 2 to 9 mm, at ground; pole piece at 9 mm; the beam arrives with 10 keV. Edges: polar"
        f" angle at the specimen of {_ENERGY_KEV:g} keV electrons that land there. The rest is for Lambert emission and the"
        " default spectrum.",
        "Slope gain: (E - W) / (E + W) per unit of slope.",
    )
    return Table("Electron optics: a biased specimen", columns, tuple(rows), notes)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def _empty_cache() -> Iterator[None]:
    before = os.environ.get("ECLIPS_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ECLIPS_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["ECLIPS_CACHE"]
            else:
                os.environ["ECLIPS_CACHE"] = before
