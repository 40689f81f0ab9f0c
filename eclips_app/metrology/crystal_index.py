"""Which planes {hkl} facets may be: ranked candidates with probabilities, and the crystal's orientation.

The reference facet is the top plane. A turn of the crystal about its normal is not known before; for each turn on a grid the
chance of all facets' directions (slope and azimuth together) is

    L(turn) = Prod_f [ Sum_poles weight N(direction_f - pole(turn); C_f + s^2) + none / (2 pi) ],

with the facet's covariance C_f, the uncertainty s of the orientation, and a flat density for "none of these". The chance of
{hkl} at a facet is the share of its terms, averaged over the turns (Bayes' rule): the other facets tell the turn, and where they
do not, slope alone counts. With several possible top planes the same is averaged over them. No assignment is ever fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from eclips_app.core.crystal import Crystal, Hkl
from eclips_app.core.units import Quantity
from eclips_app.metrology.crystal import families, family, plane_distance_nm
from eclips_app.metrology.crystal_fit import Orientation, fit_orientation
from eclips_app.metrology.crystal_poles import Poles, poles
from eclips_app.metrology.facets.found import Direction

Floats = NDArray[np.floating]

_STEPS_DEG = (0.02, 0.5)  #: least and largest distance of the turns on the grid
_MOST_TURNS = 6000
_KNOWN_TURN = 0.35  #: rad in the phase of the turn: a wider spread tells no azimuth
_TOP_INDEX = 2  #: largest index of the top planes that are searched
_REACH = 9.0  #: standard deviations beyond which a pole's density is nothing
_CHUNK = 1 << 18  #: numbers worked on at a time


@dataclass(frozen=True)
class Candidate:
    """A plane that a facet may be. Deviations are measured minus expected.

    Attributes
    ----------
    hkl : tuple or None
        None: none of the planes tried; its other fields are NaN.
    tilt_deg : float
        Angle that the plane would have with the top plane.
    tilt_k : float
        Deviation of the slope in standard deviations.
    azimuth_off_deg : float
        Deviation of the azimuth; NaN where the other facets do not tell the crystal's.
    chi2 : float
        Of slope and azimuth together, or of the slope alone; `dof` says which (2 or 1).
    k_sigma : float
        The same as Gaussian standard deviations: as improbable as a single value so far off.
    """

    hkl: Hkl | None
    probability: float
    tilt_deg: float = math.nan
    tilt_k: float = math.nan
    azimuth_off_deg: float = math.nan
    chi2: float = math.nan
    dof: int = 0
    k_sigma: float = math.nan

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values."""
        tilt = Quantity(self.tilt_deg, "deg").to_json()
        return {
            "hkl": None if self.hkl is None else list(self.hkl), "probability": self.probability, "slope": tilt,
            "slope_k_sigma": self.tilt_k, "azimuth_off": Quantity(self.azimuth_off_deg, "deg").to_json(), "chi2": self.chi2,
            "dof": self.dof, "k_sigma": self.k_sigma,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Indexed:
    """What the facets say of the crystal.

    Attributes
    ----------
    tops : tuple of (hkl, probability)
        Possible top planes, the likeliest first.
    orientation : Orientation
        With the likeliest top plane.
    candidates : dict of facet to tuple of Candidate
        The likeliest first; probabilities of each facet add up to 1.
    """

    tops: tuple[tuple[Hkl, float], ...]
    poles: Poles
    orientation: Orientation
    candidates: dict[int, tuple[Candidate, ...]]


def index(directions: Mapping[int, Direction], crystal: Crystal) -> Indexed:
    """Rank the planes that facets may be.

    Parameters
    ----------
    directions : mapping of facet's number to Direction
        Of all facets but the reference, seen from it.
    """
    trials = [(_Trial.of(directions, crystal, top), prior) for top, prior in _tops(crystal)]
    logs = np.array([trial.log_evidence + math.log(prior) for trial, prior in trials])
    chances = np.exp(logs - logs.max())
    chances /= chances.sum()
    order = np.argsort(-chances, kind="stable")
    best = trials[int(order[0])][0]
    shares = {
        number: sum(chances[i] * trial.shares[row] for i, (trial, _) in enumerate(trials))
        for row, number in enumerate(directions)
    }
    return Indexed(
        tuple((trials[i][0].poles.top, float(chances[i])) for i in order),
        best.poles,
        fit_orientation(
            directions, best.poles, best.likeliest, best.assigned(), crystal.orientation_std_deg, best.turn
        ),
        {number: best.candidates(row, np.asarray(shares[number])) for row, number in enumerate(directions)},
    )


def _tops(crystal: Crystal) -> list[tuple[Hkl, float]]:
    """Give the top planes to try with their priors."""
    if crystal.top is not None:
        return [(family(crystal.lattice, crystal.top).hkl, 1.0)]
    names = [each.hkl for each in families(crystal.lattice, min(_TOP_INDEX, crystal.largest_index))]
    prior = np.array([plane_distance_nm(crystal.lattice, hkl) for hkl in names]) ** (2 * crystal.prior_power)
    return list(zip(names, (prior / prior.sum()).tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class _Trial:
    """One top plane: the chances of all turns, and of each facet's families.

    `shares` [facet, family + 1] ends with none; `others` [facet, turn] are the chances of the turns by all other facets.
    """

    directions: tuple[Direction, ...]
    crystal: Crystal
    poles: Poles
    turns: Floats
    posterior: Floats
    others: Floats
    shares: Floats
    log_evidence: float

    @classmethod
    def of(cls, directions: Mapping[int, Direction], crystal: Crystal, top: Hkl) -> _Trial:
        found = poles(crystal, top)
        facets = tuple(directions.values())
        turns = _grid(facets, crystal, found.turns)
        none = crystal.none_prior / (2 * math.pi)
        log_prior = _log_prior(turns, crystal, found.turns)
        terms = [_terms(facet, crystal, found, turns) for facet in facets]  # each [turn, family]
        logs = np.array([np.log(each.sum(axis=1) + none) for each in terms]).reshape(len(facets), len(turns))
        total = logs.sum(axis=0) + log_prior
        posterior = _normal(total)
        shares = np.zeros((len(facets), len(found.names) + 1))
        for row, each in enumerate(terms):
            part = posterior / (each.sum(axis=1) + none)
            shares[row] = [*(part @ each), float(part.sum()) * none]
        evidence = float(total.max() + np.log(np.exp(total - total.max()).mean()))
        others = np.array([_normal(total - one) for one in logs]).reshape(len(facets), len(turns))
        return cls(facets, crystal, found, turns, posterior, others, shares, evidence)

    @property
    def likeliest(self) -> float:
        """The turn of the largest chance, in rad."""
        return float(self.turns[int(self.posterior.argmax())])

    @property
    def turn(self) -> tuple[float, float] | None:
        """Mean and standard deviation of the turn in rad; None where it is not known."""
        return _mean_turn(self.turns, self.posterior, self.poles.turns)

    def assigned(self) -> list[int | None]:
        """Give the likeliest pole of each facet at the likeliest turn, None for none."""
        at = np.array([self.likeliest])
        found: list[int | None] = []
        for facet in self.directions:
            terms = self.poles.weights * np.exp(_log_density(facet, self.crystal, self.poles.normals, at, 0.0)[0])
            best = int(terms.argmax())
            found.append(best if terms[best] > self.crystal.none_prior / (2 * math.pi) else None)
        return found

    def candidates(self, row: int, shares: Floats) -> tuple[Candidate, ...]:
        """Rank the families of one facet by their shares."""
        facet, others = self.directions[row], _mean_turn(self.turns, self.others[row], self.poles.turns)
        found = [Candidate(None, float(shares[-1]))]
        for i, hkl in enumerate(self.poles.names):
            there = np.flatnonzero(self.poles.number == i)
            if len(there):
                found.append(self._candidate(hkl, float(shares[i]), facet, there, others))
            else:
                found.append(Candidate(hkl, float(shares[i])))
        return tuple(sorted(found, key=lambda each: (-each.probability, each.k_sigma)))

    def _candidate(
        self, hkl: Hkl, share: float, facet: Direction, there: NDArray[np.intp], others: tuple[float, float] | None
    ) -> Candidate:
        tilt = math.acos(min(1.0, float(facet.normal[2])))
        tilts = np.arccos(np.clip(self.poles.normals[there, 2], -1, 1))
        variance = float(facet.covariance[0, 0]) + _floor(self.crystal)
        if others is None:
            best = int(np.abs(tilts - tilt).argmin())
            k = (tilt - float(tilts[best])) / math.sqrt(variance)
            return Candidate(hkl, share, math.degrees(tilts[best]), k, math.nan, k * k, 1, abs(k))
        off, covariance = _off(facet, self.crystal, self.poles.normals[there], np.array([others[0]]), others[1])
        chi2 = np.einsum("pi,ij,pj->p", off[0], np.linalg.inv(covariance), off[0])
        best = int(chi2.argmin())
        k = (tilt - float(tilts[best])) / math.sqrt(variance)
        x, y, _ = _turned(self.poles.normals[there[best]], others[0])
        measured = math.atan2(facet.normal[1], facet.normal[0])
        apart = math.degrees(math.remainder(measured - math.atan2(y, x), 2 * math.pi))
        steep = min(tilt, float(tilts[best])) > math.radians(1.0)
        value = float(chi2[best])
        return Candidate(
            hkl, share, math.degrees(tilts[best]), k, apart if steep else math.nan, value, 2, k_sigma(value)
        )


def k_sigma(chi2: float) -> float:
    """Give how many standard deviations of a Gaussian are as improbable as a chi-square of two degrees of freedom."""
    # P(chi2) = exp(-chi2 / 2) = 2 Phi(-k); in logarithms, for what is far off.
    return 0.0 if chi2 < 1e-12 else float(-ndtri_exp(min(-chi2 / 2 - math.log(2), float(log_ndtr(0.0)))))


def _grid(facets: tuple[Direction, ...], crystal: Crystal, turns: int) -> Floats:
    """Give the turns in rad over what is not alike, fine enough for the facets' azimuths."""
    spread = [
        math.sqrt((facet.covariance[1, 1] + _floor(crystal)) / (1 - facet.normal[2] ** 2))
        for facet in facets if facet.normal[2] < 0.996
    ]  # fmt: skip
    step = np.clip(math.degrees(min(spread, default=1.0)) / 2, *_STEPS_DEG)
    count = min(math.ceil(360.0 / turns / step), _MOST_TURNS)
    return np.asarray(np.arange(count) * (2 * math.pi / turns / count))


def _log_prior(turns: Floats, crystal: Crystal, alike: int) -> Floats:
    if crystal.in_plane_deg is None:
        return np.zeros(len(turns))
    phase = alike * (turns - math.radians(crystal.in_plane_deg))
    apart = np.abs(np.angle(np.exp(1j * phase))) / alike
    std = max(math.radians(crystal.in_plane_std_deg), float(turns[1] - turns[0]) if len(turns) > 1 else 0.0)
    return np.asarray(-0.5 * (apart / std) ** 2)


def _terms(facet: Direction, crystal: Crystal, found: Poles, turns: Floats) -> Floats:
    """Give prior times density of each family [turn, family], in 1/sr."""
    width = float(turns[1] - turns[0]) / math.sqrt(12) if len(turns) > 1 else 0.0
    terms = np.zeros((len(turns), len(found.names)))
    near = np.flatnonzero(_within_reach(facet, crystal, found, width))
    chunk = max(1, _CHUNK // max(len(near), 1))
    for first in range(0, len(turns) if len(near) else 0, chunk):
        part = slice(first, first + chunk)
        density = np.exp(_log_density(facet, crystal, found.normals[near], turns[part], width)) * found.weights[near]
        for number in np.unique(found.number[near]):
            terms[part, number] = density[:, found.number[near] == number].sum(axis=1)
    return terms


def _within_reach(facet: Direction, crystal: Crystal, found: Poles, turn_std: float) -> NDArray[np.bool_]:
    """Tell which poles can come within some standard deviations at any turn: their tilt is near the facet's."""
    largest = float(np.linalg.eigvalsh(facet.covariance).max()) + _floor(crystal) + turn_std**2
    tilts = np.arccos(np.clip(found.normals[:, 2], -1, 1))
    return np.asarray(np.abs(tilts - math.acos(min(1.0, float(facet.normal[2])))) < _REACH * math.sqrt(largest))


def _log_density(facet: Direction, crystal: Crystal, normals: Floats, turns: Floats, turn_std: float) -> Floats:
    """Give the logarithm of the Gaussian density [turn, pole] of the facet's direction about each pole."""
    off, covariance = _off(facet, crystal, normals, turns, turn_std)
    inverse = np.linalg.inv(covariance)
    chi2 = (
        inverse[0, 0] * off[..., 0] ** 2
        + 2 * inverse[0, 1] * off[..., 0] * off[..., 1]
        + inverse[1, 1] * off[..., 1] ** 2
    )
    return np.asarray(-0.5 * chi2 - math.log(2 * math.pi) - 0.5 * math.log(np.linalg.det(covariance)))


def _off(facet: Direction, crystal: Crystal, normals: Floats, turns: Floats, turn_std: float) -> tuple[Floats, Floats]:
    """Give how far poles [pole, 3] are from the facet [turn, pole, 2] (slope, azimuth; rad), and the covariance [2, 2]."""
    theta, phi = math.acos(min(1.0, float(facet.normal[2]))), math.atan2(facet.normal[1], facet.normal[0])
    back = phi - turns  # turning the facet back is turning the crystal on
    sine, cosine = math.sin(theta), math.cos(theta)
    c, s, one = np.cos(back), np.sin(back), np.ones(len(turns))
    along = np.stack([sine * c, sine * s, cosine * one], axis=1) @ normals.T
    down = np.stack([cosine * c, cosine * s, -sine * one], axis=1) @ normals.T
    around = np.stack([-s, c, 0 * one], axis=1) @ normals.T
    angle = np.arccos(np.clip(along, -1.0, 1.0))
    stretch = np.where(angle > 1e-6, angle / np.maximum(np.sin(angle), 1e-9), 1.0)  # length along the great circle
    covariance = facet.covariance + _floor(crystal) * np.eye(2)
    covariance = covariance + np.diag([0.0, (turn_std * sine) ** 2])
    return np.stack([down * stretch, around * stretch], axis=-1), covariance


def _floor(crystal: Crystal) -> float:
    """Give the variance of the orientation in rad², at least that of a thousandth of a degree."""
    return math.radians(max(crystal.orientation_std_deg, 1e-3)) ** 2


def _turned(normal: Floats, turn: float) -> tuple[float, float, float]:
    c, s = math.cos(turn), math.sin(turn)
    return c * float(normal[0]) - s * float(normal[1]), s * float(normal[0]) + c * float(normal[1]), float(normal[2])


def _mean_turn(turns: Floats, chances: Floats, alike: int) -> tuple[float, float] | None:
    """Give mean and standard deviation of the turn in rad by its phase; None where it is spread all over."""
    mean = complex((chances * np.exp(1j * alike * turns)).sum())
    spread = math.sqrt(max(-2 * math.log(max(abs(mean), 1e-300)), 0.0))
    if spread > _KNOWN_TURN:
        return None
    return math.atan2(mean.imag, mean.real) % (2 * math.pi) / alike, spread / alike


def _normal(logs: Floats) -> Floats:
    chances = np.exp(logs - logs.max())
    return np.asarray(chances / chances.sum())
