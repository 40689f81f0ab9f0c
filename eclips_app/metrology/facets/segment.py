"""Plane regions of a height map: clusters of the local normals on the sphere, and what is connected of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.context import Context
from eclips_app.metrology.facets import sphere

Floats = NDArray[np.floating]
Labels = NDArray[np.int16]

_SHIFTS = 12  #: of a cluster's mean until it stays
_SAMPLE = 250_000  #: normals
_MOST_CLUSTERS = 60
_MOST_FACETS = 400
_APART = 1.5  #: tolerances that the means of two clusters are apart at least


def segment(normals: Floats, weights: Floats, tolerance_deg: float, least_px: int, context: Context) -> Labels:
    """Label plane regions by the normals around each pixel.

    The densest direction that is left becomes a cluster, until none holds `least_px`; each pixel goes to the nearest cluster
    within the tolerance, and each connected piece of a cluster of at least `least_px` is a region. Squares of local planes that
    lie across an edge belong to no cluster or to a small piece: regions end before their edge.

    Parameters
    ----------
    normals : array [row, col, 3]
        Unit normals; NaN where there are none.
    weights : array [row, col]
        True area of each pixel; 0 where there is no normal.

    Returns
    -------
    int array [row, col]
        0: none; regions are numbered from large to small.
    """
    known = np.isfinite(normals[..., 2])
    directions = normals[known]
    thin = max(1, len(directions) // _SAMPLE)  # so many tell where the clusters are
    means = _clusters(directions[::thin], weights[known][::thin], tolerance_deg, max(least_px // thin, 1), context)
    near = _nearest(directions, means, tolerance_deg)
    cluster = np.zeros(known.shape, np.int16)
    cluster[known] = near + 1
    found = np.zeros(known.shape, np.int32)
    areas_px: list[int] = []
    for number in range(1, len(means) + 1):
        context.check()
        pieces, count = ndimage.label(cluster == number)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        large = np.flatnonzero(sizes[1:] >= least_px) + 1
        numbers = np.zeros(count + 1, np.int32)
        numbers[large] = len(areas_px) + 1 + np.arange(len(large))
        found += numbers[pieces]
        areas_px += sizes[large].tolist()
    return by_size(found, areas_px)


def _clusters(directions: Floats, areas: Floats, tolerance_deg: float, least_px: int, context: Context) -> Floats:
    """Give the mean normals [cluster, 3], the densest first."""
    means: list[Floats] = []
    reach = np.cos(np.radians(tolerance_deg))
    left = np.ones(len(directions), bool)
    while left.sum() >= least_px and len(means) < _MOST_CLUSTERS:
        context.check()
        density = sphere.histogram(directions[left], areas[left], tolerance_deg / 3)
        row, column = np.unravel_index(int(density.argmax()), density.shape)
        place = (np.array([column, row]) + 0.5) * 2 / sphere.BINS - 1
        mean = sphere.from_disc(place / max(1.0, float(np.linalg.norm(place))))
        for _ in range(_SHIFTS):  # mean shift with a flat kernel
            inside = left & (directions @ mean >= reach)
            if not inside.any():
                break
            moved = areas[inside] @ directions[inside]
            moved /= np.linalg.norm(moved)
            settled = np.abs(moved - mean).max() < 1e-6
            mean = moved
            if settled:
                break
        inside = left & (directions @ mean >= reach)
        if np.count_nonzero(inside) < least_px:
            break
        left &= ~inside
        # What is left around a cluster (its noise, rounded edges) is no other one.
        if all(sphere.angle_deg(mean, other) >= _APART * tolerance_deg for other in means):
            means.append(mean)
    return np.array(means).reshape(-1, 3)


def _nearest(directions: Floats, means: Floats, tolerance_deg: float) -> NDArray[np.intp]:
    """Give the cluster of each direction, -1 for none."""
    if not len(means):
        return np.full(len(directions), -1)
    best = np.full(len(directions), np.cos(np.radians(tolerance_deg)))
    number = np.full(len(directions), -1)
    for i, mean in enumerate(means):
        cosine = directions @ mean
        number[cosine > best] = i
        best = np.maximum(best, cosine)
    return number


def by_size(found: NDArray[np.integer], areas_px: list[int]) -> Labels:
    """Give regions new numbers, from large to small; `areas_px` are those of the regions 1, 2 and so on."""
    order = np.argsort(-np.array(areas_px, int), kind="stable")[:_MOST_FACETS]
    number = np.zeros(len(areas_px) + 1, np.int16)
    number[order + 1] = np.arange(1, len(order) + 1)
    return np.asarray(number[found])
