"""Regions that hold more than one plane: parallel terraces joined somewhere, and bent surfaces."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.context import Context
from eclips_app.metrology.facets.segment import Labels, by_size

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

_BEND = 0.1  #: a plane of edge L may be bent by this part of L times the tangent of the tolerance
_SCATTERS = 4.0  #: or by so many local scatters, whichever is more
_TRIALS = 300
_SAMPLE = 1500  #: pixels among which the planes of the trials are compared
_ROUNDS = 12  #: planes looked for in one region


def split(
    height: Floats, labels: Labels, scatter_nm: Floats, pixel_size_nm: tuple[float, float], tolerance_deg: float, least_px: int,
    context: Context,
) -> Labels:  # fmt: skip
    """Cut regions that no single plane describes into parts that one does.

    The plane that most pixels lie near is found by random trials (RANSAC; Fischler & Bolles, Commun. ACM 24 (1981) 381), with the
    same seed always; what is left of the region is looked through again.

    Parameters
    ----------
    height, scatter_nm : arrays [row, col]
        Heights, and their rms about the local planes.
    labels : int array [row, col]
        Regions; 0 is none.
    """
    found = np.zeros(labels.shape, np.int32)
    areas: list[int] = []
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        context.check()
        region = labels[box] == number
        for part in _parts(height[box], region, scatter_nm[box], pixel_size_nm, tolerance_deg, least_px):
            areas.append(int(np.count_nonzero(part)))
            found[box][part] = len(areas)
    return by_size(found, areas)


def _parts(
    height: Floats,
    region: Bools,
    scatter: Floats,
    pixel_size_nm: tuple[float, float],
    tolerance_deg: float,
    least_px: int,
) -> list[Bools]:
    limit = _limit(region, scatter, pixel_size_nm, tolerance_deg)
    rows, columns = np.nonzero(region)
    points = np.stack([np.ones(len(rows)), columns * pixel_size_nm[0], -rows * pixel_size_nm[1]], axis=1)
    points[:, 1:] -= points[:, 1:].mean(axis=0)
    z = height[rows, columns]
    whole = np.linalg.lstsq(points, z, rcond=None)[0]
    if np.abs(z - points @ whole).mean() < limit:
        return [region]
    rng = np.random.default_rng(0)
    left, parts = np.ones(len(z), bool), []
    for _ in range(_ROUNDS):
        if left.sum() < least_px:
            break
        near = _near_best(points, z, left, limit, rng)
        there = np.zeros(region.shape, bool)
        there[rows[near], columns[near]] = True
        pieces, count = ndimage.label(there)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        parts += [pieces == piece for piece in np.flatnonzero(sizes[1:] >= least_px) + 1]
        left &= ~near
    return parts


def _limit(region: Bools, scatter: Floats, pixel_size_nm: tuple[float, float], tolerance_deg: float) -> float:
    """Give how far in nm pixels of one plane may lie off it."""
    edge = math.sqrt(np.count_nonzero(region) * pixel_size_nm[0] * pixel_size_nm[1])
    return max(_BEND * edge * math.tan(math.radians(tolerance_deg)), _SCATTERS * float(np.median(scatter[region])))


def _near_best(points: Floats, z: Floats, left: Bools, limit: float, rng: np.random.Generator) -> Bools:
    """Give the pixels that are left near the plane that most of them are near."""
    choice = np.flatnonzero(left)
    sample = rng.choice(choice, min(_SAMPLE, len(choice)), replace=False)
    triples = sample[rng.integers(len(sample), size=(_TRIALS, 3))]
    area = np.linalg.det(points[triples])
    edge = np.ptp(points[choice, 1:], axis=0).max()
    good = np.abs(area) > 1e-4 * edge**2
    if not good.any():
        return left
    planes = np.linalg.solve(points[triples[good]], z[triples[good]][..., None])[..., 0]
    off = np.abs(z[sample] - planes @ points[sample].T)
    best = planes[int((off < limit).sum(axis=1).argmax())]
    near = left & (np.abs(z - points @ best) < limit)
    better = np.linalg.lstsq(points[near], z[near], rcond=None)[0]
    found = left & (np.abs(z - points @ better) < limit)
    return np.asarray(found if found.sum() > near.sum() else near)
