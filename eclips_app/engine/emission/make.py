"""Makes an emission table: Monte Carlo runs over beam energies and tilts, smoothed over the tilt.

Tilting to the other side turns x' round, and everything is smooth at normal incidence. So the coefficient of azimuthal order m
is ``sin(tilt)^m`` times an even function; it is fitted by a polynomial in ``1 - cos(tilt)``, as is the logarithm of the yield
(linear in the form of Drescher, Reimer and Seidel 1970) and the part of each energy bin. Weights are the runs' standard errors.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import EmissionTableParams, StepResult
from eclips_app.engine.emission.materials import Material, material
from eclips_app.engine.emission.montecarlo import CUTOFF_KEV, Exits, run, target
from eclips_app.engine.emission.tables import EmissionTable
from eclips_app.engine.emission.transport import ENERGY_BINS, ZERNIKE
from eclips_app.version import VERSION

Float = NDArray[np.float64]

QUANTILES = np.array([0.001, 0.003, 0.01, 0.02, *np.arange(0.05, 0.951, 0.05), 0.97, 0.98, 0.99])
_YIELD_TERMS = 5  #: of the polynomial in 1 - cos(tilt) for the logarithm of the yield
_SHAPE_TERMS = 4  #: for Zernike coefficients and parts of the spectrum


def table_step(inputs: Mapping[str, NDArray[Any]], params: EmissionTableParams, context: Context) -> StepResult:
    """Compute an emission table; gives its arrays (`EmissionTable.arrays`) and ``info["meta"]``."""
    what = material(params.material, params.density_g_cm3)
    table = make_table(what, params, context)
    return StepResult(table.arrays(), {"meta": table.meta})


def make_table(what: Material, params: EmissionTableParams, context: Context) -> EmissionTable:
    """Run every energy and tilt and put them together.

    Raises
    ------
    EclipsError
        If energies or tilts do not rise, or too few electrons come back to say anything.
    """
    energies, tilts = np.array(params.energies_kev, dtype=float), np.array(params.tilts_deg, dtype=float)
    _check(energies, tilts)
    began = time.perf_counter()
    runs = [_row(what, params, number, context) for number in range(len(energies))]
    meta = {
        "material": what.formula, "formula": what.formula, "density_g_cm3": what.density_g_cm3, "program": VERSION,
        "elastic": "Dirac partial waves, analytical Dirac-Hartree-Fock-Slater atoms (Salvat 1987)",
        "stopping": "Bethe relativistic (ICRU 37) with Joy-Luo correction",
        "inelastic": "losses above 50 eV are single Moller collisions; knock-ons are followed",
        "cutoff_kev": CUTOFF_KEV,
        "histories": params.histories, "seed": params.seed, "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    return assemble(energies, tilts, runs, meta)


def _check(energies: Float, tilts: Float) -> None:
    if (np.diff(energies) <= 0).any() or not energies.size:
        raise EclipsError("beam energies must rise", hint="Give them as 5,10,20.")
    if (np.diff(tilts) <= 0).any() or not tilts.size or tilts[0] != 0.0:
        raise EclipsError("tilts must rise from 0 degrees", hint="Give them as 0,20,40,60.")


def _row(what: Material, params: EmissionTableParams, number: int, context: Context) -> list[Exits]:
    """Run all tilts of one beam energy."""
    energy, tilts, share = params.energies_kev[number], params.tilts_deg, 1 / len(params.energies_kev)
    context.progress(number * share, f"Cross-sections of {what.formula}")
    aim, found = target(what, float(energy), context.check), []
    for i, tilt in enumerate(tilts):

        def report(part: float, i: int = i, tilt: float = tilt) -> None:
            context.check()
            context.progress(
                share * (number + (i + part) / len(tilts)), f"{what.formula}, {energy:g} keV, tilt {tilt:g}°"
            )

        found.append(run(aim, tilt, params.histories, params.seed + 100 * number + i, report))
    return found


def assemble(energies: Float, tilts: Float, runs: list[list[Exits]], meta: dict[str, Any]) -> EmissionTable:
    """Smooth the runs [e][a] over the tilt and put them into a table."""
    if min(each.left for row in runs for each in row) < 20:
        raise EclipsError("fewer than 20 electrons came back", hint="Shoot more (--histories).")
    raw = EmissionTable(
        energies_kev=energies, tilts_deg=tilts,
        yield_=_stack(runs, lambda r: r.left / r.histories),
        yield_std=_stack(runs, lambda r: np.sqrt(r.left * (r.histories - r.left) / r.histories) / r.histories),
        fractions=np.linspace(0.0, 1.0, ENERGY_BINS + 1),
        spectrum=_stack(runs, lambda r: r.counts / r.left),
        zernike=_stack(runs, lambda r: r.zernike / np.maximum(r.counts, 1.0)[:, None]),
        zernike_std=_stack(runs, _zernike_std),
        zernike_nm=np.array(ZERNIKE), radius_quantiles=QUANTILES, radius_nm=_stack(runs, _radii),
        shift_nm=_stack(runs, lambda r: r.shift_nm / r.left), meta=meta,
    )  # fmt: skip
    return smooth(raw)


def _stack(runs: list[list[Exits]], value: Any) -> Float:
    return np.array([[value(each) for each in row] for row in runs], dtype=np.float64)


def _zernike_std(each: Exits) -> Float:
    """Give the standard error of the mean of each polynomial; where there are too few electrons, that of an even disc."""
    counts = np.maximum(each.counts, 1.0)[:, None]
    variance = (each.zernike_squares / counts - (each.zernike / counts) ** 2) * counts / np.maximum(counts - 1, 1.0)
    some = np.where(each.counts[:, None] > 10, variance, 1.0)
    return np.asarray(np.sqrt(np.maximum(some, 0.0) / counts))


def _radii(each: Exits) -> Float:
    """Give the exit radii [nm] of `QUANTILES`; within a bin the logarithm of the radius is even."""
    cumulated = np.concatenate([[0.0], np.cumsum(each.radii)]) / each.left
    rising = np.concatenate([[True], np.diff(cumulated) > 0])
    return np.asarray(np.exp(np.interp(QUANTILES, cumulated[rising], np.log(each.radius_edges_nm[rising]))))


def smooth(raw: EmissionTable) -> EmissionTable:
    """Fit the raw runs over the tilt (see the module's text); Zernike coefficients lose their factor ``sin(tilt)^m``."""
    alpha = np.deg2rad(raw.tilts_deg)
    lift, forward = 1 - np.cos(alpha), np.sin(alpha)
    log_yield = np.log(raw.yield_)
    fitted = np.array(
        [_fit(lift, *row, _YIELD_TERMS) for row in zip(log_yield, raw.yield_std / raw.yield_, strict=True)]
    )
    spectrum, zernike = np.empty_like(raw.spectrum), np.empty_like(raw.zernike)
    for e in range(len(raw.energies_kev)):
        counts = raw.meta["histories"] * raw.yield_[e][:, None]
        spread = np.sqrt(np.maximum(raw.spectrum[e] * (1 - raw.spectrum[e]), 1 / counts) / counts)
        for b in range(spectrum.shape[2]):
            spectrum[e, :, b] = _fit(lift, raw.spectrum[e, :, b], spread[:, b], _SHAPE_TERMS)
            for z, (_, m) in enumerate(raw.zernike_nm):
                values, stds = raw.zernike[e, :, b, z], raw.zernike_std[e, :, b, z]
                zernike[e, :, b, z] = _fit(lift, values, stds, _SHAPE_TERMS, forward**m) if z else 1.0
    spectrum = np.maximum(spectrum, 0.0)
    spectrum /= spectrum.sum(axis=2, keepdims=True)
    pull = (log_yield - fitted) * raw.yield_ / raw.yield_std
    freedom = max(len(alpha) - _YIELD_TERMS, 1)
    meta = {**raw.meta, "yield_chi2_per_dof": round(float((pull**2).sum() / (freedom * len(pull))), 2)}
    return dataclasses.replace(raw, yield_=np.exp(fitted), spectrum=spectrum, zernike=zernike, meta=meta)


def _fit(x: Float, values: Float, stds: Float, terms: int, factor: Float | None = None) -> Float:
    """Fit ``factor(x) * polynomial(x)`` by weighted least squares; gives the polynomial at `x`."""
    factor = np.ones_like(x) if factor is None else factor
    weights = 1.0 / np.maximum(stds, 1e-9)
    useful = int(np.count_nonzero(factor > 1e-6))
    basis = np.vander(x, max(min(terms, useful), 1), increasing=True)
    found = np.linalg.lstsq(basis * (factor * weights)[:, None], values * weights, rcond=None)[0]
    return np.asarray(basis @ found)
