"""Images as a fit sees them: means over patches, their noise, and where on the object their pixels lie.

A patch is a square of pixels of one area of the object. Its mean is compared with the mean of the model over its cells, a few
pixels each, so that nothing is lost where the slope changes within a patch. What the model misses beyond noise is alike over
some way in slope and azimuth: with patches of that size it counts once, as it should.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import mean as mean_of
from scipy.optimize import nnls

from eclips_app.core.calibration import Observation
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays
from eclips_app.engine.calibration.view import reconstruct_params
from eclips_app.engine.prepare import Signals

Float = NDArray[np.float64]
Ints = NDArray[np.int64]

_PATCHES = {"sphere": 100, "indent": 60, "flat": 64, "facets": 60, "heights": 400, "dark": 16}  #: about
_CELLS = 5  #: along the edge of a patch
_FULL = 0.4  #: part of a patch that must be in use
_QUANTISATION = 1.0 / 12.0


@dataclass(frozen=True)
class Patches:
    """Means over patches of one observation.

    Attributes
    ----------
    grey : array [m, k]
        Mean grey values, gains and offsets in.
    variance : array [m, k]
        Of that mean, by noise.
    area : array [m]
        Number of the area (face) that a patch lies in.
    rows, columns : arrays [n]
        Middles of the cells, in pixels of the uncropped image.
    owner : array [n]
        The patch of each cell.
    share : array [n]
        Part of the patch's pixels that are in the cell.
    pixels : int
        In use.
    """

    grey: Float
    variance: Float
    area: Ints
    rows: Float
    columns: Float
    owner: Ints
    share: Float
    pixels: int

    def averaged(self, cells: Float) -> Float:
        """Average values of the cells [n, ...] over the patches [m, ...]."""
        weighted = cells * self.share.reshape(-1, *[1] * (cells.ndim - 1))
        return np.add.reduceat(weighted, np.flatnonzero(np.diff(self.owner, prepend=-1)), axis=0)


def raw_signals(observation: Observation, inputs: Arrays, detector: Detector) -> Signals:
    """Give the grey values of an observation, cropped and moved onto each other; gains and offsets stay in."""
    plain = tuple(replace(segment, gain=1.0, offset=0.0) for segment in detector.quadrants)
    return Signals(inputs, reconstruct_params(observation, replace(detector, quadrants=plain)))


def patches(
    observation: Observation,
    grey: NDArray[np.floating],
    usable: NDArray[np.bool_],
    labels: NDArray[np.integer],
    grey_per_electron: float | None = None,
) -> Patches:
    """Average an observation over patches.

    Parameters
    ----------
    observation : Observation
        Its kind and crop.
    grey, usable : arrays [k, row, col]
        Of the crop.
    labels : array [row, col]
        Number of the area; negative where not used.
    grey_per_electron : float, optional
        None: the noise is taken from differences of neighbours.

    Raises
    ------
    EclipsError
        If hardly anything is in use.
    """
    used = usable.all(axis=0) & (labels >= 0)
    pixels = int(np.count_nonzero(used))
    edge = max(2, round((pixels / _PATCHES[observation.kind]) ** 0.5))
    fine = max(1, round(edge / _CELLS))
    edge = fine * max(1, round(edge / fine))
    at = np.nonzero(used)
    patch = _numbers(labels[used], at[0] // edge, at[1] // edge)
    kept = np.bincount(patch)[patch] >= _FULL * edge**2
    if np.unique(patch[kept]).size < 4:
        raise EclipsError(
            f"only {pixels} pixels of the object are usable in all segments", where=observation.name,
            hint="Correct what was found by hand, loosen the clip levels, or take images that are not saturated.",
        )  # fmt: skip
    rows, columns = at[0][kept], at[1][kept]
    patch = np.unique(patch[kept], return_inverse=True)[1]
    cell = _numbers(patch, rows // fine, columns // fine)
    count, in_cell = np.bincount(patch), np.bincount(cell)
    order = np.unique(cell, return_index=True)[1]
    owner = patch[order]
    values = grey[:, rows, columns].astype(np.float64)
    means = np.stack([np.bincount(patch, each) / count for each in values], axis=1)
    variance = _noise(grey, used, (rows, columns), patch, means, grey_per_electron) / count[:, None]
    first_row, first_column = observation.crop[:2]
    return Patches(
        means, variance, _of_first(labels[rows, columns].astype(np.int64), patch),
        np.bincount(cell, rows) / in_cell + first_row, np.bincount(cell, columns) / in_cell + first_column,
        owner, in_cell / count[owner], int(count.sum()),
    )  # fmt: skip


def _numbers(*keys: NDArray[np.integer]) -> Ints:
    """Give each combination of keys a number, sorted by the first key, then by the second and so on."""
    found: Ints = np.zeros(keys[0].shape, np.int64)
    for key in keys:
        found = found * (int(key.max(initial=0)) + 2) + key + 1
    return np.unique(found, return_inverse=True)[1]


def _of_first(values: Ints, group: Ints) -> Ints:
    """Give the value of the first member of each group."""
    return values[np.unique(group, return_index=True)[1]]


def _noise(
    grey: NDArray[np.floating],
    used: NDArray[np.bool_],
    at: tuple[Ints, Ints],
    patch: Ints,
    means: Float,
    grey_per_electron: float | None,
) -> Float:
    """Give the variance of a pixel's noise in each patch and segment [m, k].

    From second differences along the rows, which know no slope; as ``a + b grey`` over all patches, so that no patch counts more
    because its noise was guessed low.
    """
    if grey_per_electron is not None:
        return np.maximum(grey_per_electron * means, 0.0) + _QUANTISATION
    found = np.empty_like(means)
    inside = np.zeros_like(used)
    inside[:, 1:-1] = used[:, :-2] & used[:, 1:-1] & used[:, 2:]
    there = inside[at]
    for k, image in enumerate(grey):
        bend = np.zeros(used.shape)
        bend[:, 1:-1] = image[:, :-2] - 2.0 * image[:, 1:-1] + image[:, 2:]
        numbers = np.arange(len(means))
        local = mean_of(bend[at][there] ** 2 / 6.0, patch[there], numbers)
        local = np.where(np.isfinite(local), local, np.nanmedian(local))
        lowest = means[:, k].min()
        terms = np.stack([np.ones(len(means)), means[:, k] - lowest], axis=1)
        weight = 1.0 / np.maximum(local, 1e-3 * np.median(local) + 1e-12)
        found[:, k] = terms @ nnls(terms * weight[:, None], local * weight)[0]
    return np.maximum(found, _QUANTISATION)
