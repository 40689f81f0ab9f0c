"""Curved flight: where electrons land, as the straight direction in which their landing point is seen from the specimen.

Electrons stay in the plane of their azimuth, so a detector catches an electron emitted at polar angle t exactly if it would catch
a straight one at the *virtual* angle t_v, ``tan t_v = r/z`` of the landing point. The detector plane cuts that half-plane
in a line ``z = h - a r``, the same for all azimuths where the detector is level (a = 0).

The field is that of a level annulus around the beam's axis: offset and tilt move the landing plane, not the field. Above
the detector's distance electrons fly straight on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor

from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.engine.device import one_thread
from eclips_app.engine.optics import cache
from eclips_app.engine.optics.coverage import Frame
from eclips_app.engine.optics.field import Annulus, Grid, tabulate
from eclips_app.engine.optics.landing import meet
from eclips_app.engine.optics.trajectories import STEPS_UP, TOLERANCE, Paths, Potential, fly

Float = NDArray[np.float64]
Spectrum = tuple[Float, Float]  #: fractions of the landing energy (middles of the bins, rising) and their weights

_VERSION = 3
_SLOPES = 9  #: landing planes of a tilted detector that are followed exactly
_CHAMBER_MM = 100.0  #: least height of the grounded plate that stands for the chamber
_MOST_RECENT = 8
_recent: dict[str, cache.Arrays] = {}  #: the last results of less than full effort, the oldest first


@dataclass(frozen=True)
class Effort:
    """How finely electrons are followed.

    Attributes
    ----------
    cells : int
        Of the field's table between specimen and detector.
    angles : int
        Start angles of the trajectories, from 0 to 90 degrees.
    energies : int
        At most; neighbouring bins of the spectrum are joined.
    steps_up, tolerance
        As for `trajectories.fly`.
    """

    cells: int
    angles: int
    energies: int
    steps_up: int
    tolerance: float


FULL = Effort(64, 181, 20, STEPS_UP, TOLERANCE)
#: For pictures that follow a slider: a tenth of the time, and acceptance vectors within some 0.5 %.
DRAFT = Effort(24, 46, 5, 8, 1e-4)


@dataclass(frozen=True)
class Landing:
    """Where electrons of some energies land, by their start angle.

    `angle` holds virtual angles t_v in radians [energy, start angle, slope a of the detector plane], NaN where an electron does
    not land; `by_slope` and `by_height` are its derivatives by a and by h (per mm).
    """

    angle: Float
    by_slope: Float
    by_height: Float
    pole: Float  #: [energy, start angle] virtual angle at the pole piece's height; NaN where it is not reached
    slopes: Float  #: [slope], even steps
    height_mm: float  #: h of the detector
    weights: Float  #: [energy], times the detector's response


def is_straight(detector: Detector) -> bool:
    """Whether electrons fly straight: specimen, detector and pole piece are at ground."""
    return not any(_potentials(detector))


def default_spectrum() -> Spectrum:
    """Give the energy spectrum that is used without a table: the density ``x^2.5 (1 - x)^0.5`` of x = E/E0, mean 0.7.

    That is the mean of copper between 5 and 20 keV, with the usual broad maximum below the elastic peak; light elements lie at
    0.6, gold at 0.78.
    """
    edges = np.linspace(0.0, 1.0, 21)
    middles = (edges[1:] + edges[:-1]) / 2
    density = middles**2.5 * (1 - middles) ** 0.5
    return middles, density / density.sum()


def detected(detector: Detector, spectrum: Spectrum) -> Float:
    """Give the weights of a spectrum, each times the part of its bin that arrives above the detection threshold.

    The energy on arrival is that of emission plus the potential difference from specimen to detector. Where the beam energy
    is not known, every electron counts.
    """
    fractions, weights = (np.asarray(a, dtype=np.float64) for a in spectrum)
    weights = np.asarray(weights / weights.sum())
    threshold = detector.response.threshold_kev if detector.response and detector.beam else 0.0
    if threshold <= 0:
        return weights
    specimen_v, detector_v, _ = _potentials(detector)
    inner = (fractions[1:] + fractions[:-1]) / 2
    first, last = (
        (fractions[0], fractions[-1])
        if inner.size == 0
        else (2 * fractions[0] - inner[0], 2 * fractions[-1] - inner[-1])
    )
    edges = np.concatenate([[first], inner, [last]]) * landing_energy_kev(detector)
    needed = threshold - 1e-3 * (detector_v - specimen_v)
    part = np.clip((edges[1:] - needed) / np.maximum(np.diff(edges), 1e-12), 0.0, 1.0)
    return np.asarray(weights * part, dtype=np.float64)


def response(detector: Detector, spectrum: Spectrum) -> float:
    """Give the detected part of the electrons that land."""
    return float(detected(detector, spectrum).sum())


def nothing_counts() -> EclipsError:
    """Give the error for a threshold above all energies."""
    return EclipsError(
        "no electron arrives above the detection threshold", where="response.threshold_kev", hint="Lower it."
    )


def landing(detector: Detector, spectrum: Spectrum, effort: Effort = FULL) -> Landing:
    """Fly electrons of a spectrum from the specimen to the plane of a detector; field and paths come from the cache if known.

    Only what takes the full effort is kept on disk; of the rest, the last few are remembered.

    Raises
    ------
    EclipsError
        If the beam energy is missing or two electrodes touch.
    """
    fractions = np.asarray(spectrum[0])
    arriving = detected(detector, spectrum)
    energies, weights = _condense(fractions * landing_energy_kev(detector), arriving, effort.energies)
    height, slopes = _planes(detector)
    inputs = [_field_inputs(detector), _potentials(detector), energies.tolist(), height, slopes.tolist(), effort.angles]
    names = ("angle", "by_slope", "by_height", "pole")

    def compute() -> cache.Arrays:
        flown = paths(detector, energies, effort=effort)
        pole_mm = detector.pole_piece.distance_mm if detector.pole_piece else height
        found = [*meet(flown, height, torch.from_numpy(slopes)), meet(flown, pole_mm, torch.zeros(1))[0]]
        shape = (energies.size, effort.angles)
        return {name: value.reshape(*shape, -1).numpy() for name, value in zip(names, found, strict=True)}

    with one_thread():
        found = _known(f"landing{_VERSION}", inputs, names, compute, effort)
    angle, by_slope, by_height, pole = (found[name] for name in names)
    return Landing(angle, by_slope, by_height, pole[..., 0], slopes, height, weights)


@dataclass(frozen=True)
class EdgeMap:
    """A landing map at the edges of polar cells, ready to be interpolated between slopes of the detector plane."""

    values: Tensor  #: [energy, edge, 3 slopes]: t_v in radians, then its derivatives by a and by h, for each slope
    lands: Tensor  #: [energy, cell, slope] part of the cell's electrons that land
    slopes: Tensor
    height_mm: float
    weights: Tensor


def at_edges(found: Landing, edges: Float, detector: Detector) -> EdgeMap:
    """Interpolate a landing map to other start angles in radians, by cubic splines.

    Beyond the angles that land, t_v stays as it is at the last one.
    """
    maps = np.stack([found.angle, found.by_slope, found.by_height], axis=-1)
    energies, _, slopes, _ = maps.shape
    values = np.zeros((energies, edges.size, 3, slopes))
    lands = np.zeros((energies, edges.size, slopes))
    for e, a in np.ndindex(energies, slopes):
        values[e, :, :, a], lands[e, :, a] = _spline(maps[e, :, a], edges)
    cells = torch.from_numpy((lands[:, 1:] + lands[:, :-1]) / 2)
    pole = np.stack([_spline(one[:, None], edges)[0][:, 0] for one in found.pole])
    free = clear_of_pole(detector, torch.from_numpy(pole).T).T
    flat = torch.from_numpy(values.reshape(energies, edges.size, -1))
    part = cells * free[..., None]
    return EdgeMap(flat, part, torch.from_numpy(found.slopes), found.height_mm, torch.from_numpy(found.weights))


def _spline(values: Float, angles: Float) -> tuple[Float, Float]:
    """Interpolate [start angle, c] to other angles within the widest run without NaN, and tell which angles are within."""
    start = np.linspace(0.0, np.pi / 2, len(values))
    missing = np.flatnonzero(np.isnan(values[:, 0]))
    ends = np.concatenate([[-1], missing, [start.size]])
    widest = int(np.argmax(np.diff(ends)))
    run = slice(int(ends[widest]) + 1, int(ends[widest + 1]))
    if run.stop - run.start < 4:
        return np.zeros((angles.size, values.shape[1])), np.zeros(angles.size)
    low, high = start[run.start], start[run.stop - 1]
    inside = (angles >= low - 1e-12) & (angles <= high + 1e-12)
    return CubicSpline(start[run], values[run])(np.clip(angles, low, high)), inside.astype(np.float64)


def virtual_angles(found: EdgeMap, plane: Frame, azimuth_cells: int, *, moving: bool) -> tuple[Tensor, Tensor]:
    """Give t_v [energy, edge, f] in radians for the middles of azimuth cells, and the part that lands [energy, cell, f].

    With `moving` it follows the plane's tilt and height to first order, for derivatives; else there is one azimuth (f = 1)
    where the detector is level. Between the slopes of the map, t_v is Hermite's cubic.
    """
    count = found.slopes.numel()
    if count == 1 and not moving:
        return found.values[..., :1], found.lands
    f = (torch.arange(azimuth_cells, dtype=torch.float64) + 0.5) * (2 * np.pi / azimuth_cells)
    slope = (plane.normal[0] * torch.cos(f) + plane.normal[1] * torch.sin(f)) / plane.normal[2]
    height = plane.reach / plane.normal[2] - found.height_mm
    if count == 1:
        basis = torch.stack([torch.ones_like(slope), slope, height.expand(azimuth_cells)])
        return found.values @ basis, found.lands
    width = float(found.slopes[1] - found.slopes[0])
    place = (slope - found.slopes[0]) / width
    low = place.detach().floor().clamp(0, count - 2).long()
    x = place - low
    below, above = torch.eye(count, dtype=torch.float64)[low].T, torch.eye(count, dtype=torch.float64)[low + 1].T
    linear = below * (1 - x) + above * x
    cubic = below * (1 + 2 * x) * (1 - x) ** 2 + above * x**2 * (3 - 2 * x)
    bend = width * x * (1 - x) * (below * (1 - x) - above * x)
    return found.values @ torch.cat([cubic, bend, linear * height]), found.lands @ linear


def paths(detector: Detector, energies_kev: Float, device: torch.device | None = None, effort: Effort = FULL) -> Paths:
    """Fly electrons of each energy at even angles through the field of a detector (energies vary slowest)."""
    angle = torch.linspace(0.0, np.pi / 2, effort.angles, dtype=torch.float64, device=device)
    energy = torch.from_numpy(energies_kev).to(device)
    angles, energies = angle.repeat(energy.numel()), energy.repeat_interleave(effort.angles)
    with one_thread():
        return fly(potential(detector, device, effort), angles, energies, effort.steps_up, effort.tolerance)


def potential(detector: Detector, device: torch.device | None = None, effort: Effort = FULL) -> Potential:
    """Give the potential between specimen and detector."""
    grid = field(detector, effort)
    specimen_v, detector_v, pole_v = _potentials(detector)
    electrodes_v = np.array([detector_v, *([pole_v] if detector.pole_piece else []), 0.0])
    return Potential(grid.coefficients(specimen_v, electrodes_v), grid.radius, grid.height, device)


def electrodes(detector: Detector) -> tuple[Annulus, ...]:
    """Give the electrodes of a detector: its face, the pole piece if there is one, and the chamber."""
    return tuple(Annulus(*one) for one in _field_inputs(detector)["electrodes"])


def field(detector: Detector, effort: Effort = FULL) -> Grid:
    """Give the field of a detector's electrodes at unit potentials: detector, pole piece if there is one, chamber."""
    inputs = _field_inputs(detector)

    def compute() -> cache.Arrays:
        return {"unit": tabulate(electrodes(detector), inputs["radius"], detector.distance_mm, effort.cells).unit}

    found = _known(f"field{_VERSION}", {**inputs, "cells": effort.cells}, ("unit",), compute, effort)
    return Grid(inputs["radius"], detector.distance_mm, found["unit"])


def clear_of_pole(detector: Detector, angles: Tensor) -> Tensor:
    """Give the part of each cell that the pole piece leaves free, from the virtual angles [cell edge, …] at its height.

    It matters only where the pole piece is nearer to the specimen than the detector.
    """
    pole = detector.pole_piece
    if pole is None or pole.distance_mm >= detector.distance_mm:
        return torch.ones_like(angles[1:])
    low, high = (float(np.arctan(radius / pole.distance_mm)) for radius in (pole.bore_radius_mm, pole.outer_radius_mm))
    width = angles.diff(dim=0).abs().clamp(min=1e-12)
    return (1 - angles.clamp(low, high).diff(dim=0).abs() / width).nan_to_num(1.0).clamp(min=0.0)


def _planes(detector: Detector) -> tuple[float, Float]:
    """Height h in mm at which the detector plane cuts the axis, and slopes a that span those of all azimuths."""
    ax, ay = np.deg2rad(detector.tilt_deg)
    lean = np.array([np.tan(ay), -np.tan(ax) / np.cos(ay)])  # components x and y of the normal over that along z
    height = detector.distance_mm + float(lean @ detector.center_mm)
    steepest = float(np.hypot(*lean))
    return height, np.linspace(-steepest, steepest, _SLOPES) if steepest > 0 else np.zeros(1)


def _potentials(detector: Detector) -> tuple[float, float, float]:
    bias, pole = detector.bias, detector.pole_piece
    return (bias.specimen_v if bias else 0.0, bias.detector_v if bias else 0.0, pole.potential_v if pole else 0.0)


def landing_energy_kev(detector: Detector) -> float:
    """Energy in keV with which the beam arrives at the specimen: that of the column, plus what the bias adds."""
    if detector.beam is None:
        raise EclipsError(
            "bias and detection threshold need the beam energy, which the detector file does not give",
            where="beam", hint="Add 'beam' with 'energy_kev', or take away 'bias' and 'response'.",
        )  # fmt: skip
    energy = detector.beam.energy_kev + 1e-3 * _potentials(detector)[0]
    if energy <= 0:
        raise EclipsError(
            f"a specimen at {_potentials(detector)[0]:g} V turns a beam of {detector.beam.energy_kev:g} keV back",
            where="bias.specimen_v", hint="Lower the bias or raise the energy.",
        )  # fmt: skip
    return energy


def _field_inputs(detector: Detector) -> dict[str, Any]:
    """Electrodes (height, inner and outer radius in mm) and how far from the axis the field is needed."""
    radii = [detector.radii_mm(segment) for segment in detector.quadrants]
    inner, outer = min(r for r, _ in radii), max(r for _, r in radii)
    pole = detector.pole_piece
    found = [(detector.distance_mm, inner, outer)]
    if pole is not None:
        found.append((pole.distance_mm, pole.bore_radius_mm, pole.outer_radius_mm))
    chamber = max(_CHAMBER_MM, 2 * max(one[0] for one in found))
    found.append((chamber, 0.0, 2 * max(chamber, *(one[2] for one in found))))
    reach = 1.25 * (outer + float(np.hypot(*detector.center_mm))) + 0.25 * detector.distance_mm
    step = outer / 4  # coarse, so that a detector that moves a little keeps its field
    return {"electrodes": found, "radius": float(np.ceil(reach / step) * step)}


def _known(
    kind: str, inputs: Any, names: tuple[str, ...], compute: Callable[[], cache.Arrays], effort: Effort
) -> cache.Arrays:
    """Give arrays from the disk, or, what was made with less effort, from memory; else compute them."""
    if effort == FULL:
        return cache.kept(kind, inputs, names, compute)
    key = json.dumps([kind, inputs, dataclasses.astuple(effort)], sort_keys=True)
    found = _recent.pop(key, None)
    _recent[key] = found = compute() if found is None else found
    while len(_recent) > _MOST_RECENT:
        del _recent[next(iter(_recent))]
    return found


def _condense(energies: Float, weights: Float, most: int) -> Spectrum:
    """Join neighbouring bins until few enough are left, and drop those that weigh nothing."""
    keep = weights > 1e-9 * weights.sum()
    energies, weights = energies[keep], weights[keep]
    if energies.size == 0:
        raise nothing_counts()
    groups = np.array_split(np.arange(energies.size), min(energies.size, most))
    total = np.array([weights[g].sum() for g in groups])
    return np.array([(energies[g] * weights[g]).sum() for g in groups]) / total, total
