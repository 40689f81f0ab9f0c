"""How far a solution is to be trusted, pixel by pixel: chi-square of regions, and flags (`core.deviations`)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from eclips_app.core import deviations as flag
from eclips_app.engine.forward.scene import Scene
from eclips_app.engine.refine.solver import GaussNewton

SMOOTH_PX = 4.0  #: of chi-square
_OCCLUDED = 0.1  #: part of the signal that other parts of the surface take away
_OUT_OF_MODEL = 2.0  #: chi-square above which more than noise is left over

Float = NDArray[np.float32]
Bools = NDArray[np.bool_]


def known_left(images: Tensor, weight: Tensor, signal: Tensor) -> Tensor:
    """Give the squared residuals over their variance, summed over segments [row, col], with one brightness for all pixels.

    It is the median of the pixels' own, which a patch of another material does not move. Wrong geometry and gains show here, and
    materials.
    """
    norm = (weight * images**2).sum(0)
    own = (weight * images * signal).sum(0) / norm.clamp(min=1e-30)
    factor = own[norm > 0].median() if bool((norm > 0).any()) else own.new_zeros(())
    return (weight * (signal - factor * images) ** 2).sum(0)


def shadowed(solver: GaussNewton) -> Tensor:
    """Tell where other parts of the surface take away more than a tenth of the signal, on samples [row, col]."""
    about = solver.at.about
    level = Scene(torch.zeros_like(about.scene.height), about.scene.slopes, about.scene.weights)
    return about.samples(about.scene).sum(0) < (1.0 - _OCCLUDED) * about.samples(level).sum(0)


def flags(mask: Bools, clipped: Bools, dark: Bools, chi2: Float) -> NDArray[np.uint8]:
    """Put all reasons for distrust into bits [row, col]."""
    with np.errstate(invalid="ignore"):
        strange = chi2 > _OUT_OF_MODEL
    marks = ((~mask, flag.NO_DATA), (clipped, flag.CLIPPED), (dark, flag.OCCLUDED), (strange, flag.OUT_OF_MODEL))
    found = np.zeros(mask.shape, np.uint8)
    for where, bit in marks:
        found[where] |= bit
    return found


def regional(left: NDArray[np.floating], tested: Bools) -> Float:
    """Give the mean of a field over some pixels about each, of those that are tested; NaN at the others."""
    share = gaussian_filter(tested.astype(np.float32), SMOOTH_PX)
    smooth = gaussian_filter(np.where(tested, left, np.float32(0.0)), SMOOTH_PX) / np.maximum(share, 1e-6)
    return np.where(tested, smooth, np.float32(np.nan)).astype(np.float32)
