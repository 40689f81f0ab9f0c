"""Gains and offsets of the segments, refitted within what their calibration leaves open.

The signals are ``y_k = (1 + c_k) M_k + o_k`` with the model M, relative errors c of the gains and errors o of the offsets, of
which a covariance is stated. They enter through the data: corrected signals ``(y_k - o_k) / (1 + c_k)`` obey the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.engine.refine.brightness import Brightness

Float = NDArray[np.float64]

_OWN_PART = 0.1  #: of what images say of a gain at fixed heights, that the heights must not be able to explain as well


@dataclass
class Channels:
    """Errors of the segments' amplifiers.

    Attributes
    ----------
    names : tuple of str
        Those that vary, as in `core.tolerance`: ``gain:E``, ``offset:E``.
    places : tuple of (int, bool)
        For each the segment, and whether it is a gain.
    covariance : array [n, n]
        What is stated of them; offsets in units of the signals.
    values : array [n]
        As fitted so far.
    """

    names: tuple[str, ...] = ()
    places: tuple[tuple[int, bool], ...] = ()
    covariance: Float = field(default_factory=lambda: np.zeros((0, 0)))
    values: Float = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.precision = np.linalg.pinv(self.covariance)

    def corrected(self, signal: Tensor) -> Tensor:
        """Give signals [k, row, col] that obey the model."""
        if not self.names:
            return signal
        found = signal.clone()
        for (k, is_gain), value in zip(self.places, self.values.tolist(), strict=True):
            found[k] = found[k] / (1.0 + value) if is_gain else found[k] - value
        return found

    def cost(self) -> float:
        """Give what the stated covariance makes these values cost."""
        return 0.5 * float(self.values @ self.precision @ self.values)

    def change(self, number: int, model: Tensor) -> Tensor:
        """Give the change of signals [k, row, col] per unit of one of them."""
        k, is_gain = self.places[number]
        found = torch.zeros_like(model)
        found[k] = model[k] if is_gain else 1.0
        return found

    def information(self, fitted: Brightness) -> Float:
        """Give what the images say of them at fixed heights, the brightness taken out: a matrix [n, n]."""
        changes = [fitted.projected(self.change(i, fitted.model)) for i in range(len(self.names))]
        weighted = [fitted.weight * change for change in changes]
        return np.array([[float((w * change).double().sum()) for change in changes] for w in weighted])

    def descent(self, fitted: Brightness, residual: Tensor) -> Float:
        """Give minus the derivative [n] of half the chi-square by them, the brightness at its best."""
        changes = (fitted.projected(self.change(i, fitted.model)) for i in range(len(self.names)))
        return np.array([float((fitted.weight * change * residual).double().sum()) for change in changes])


@dataclass(frozen=True)
class Marginal:
    """What of the heights follows errors of the channels, and what is left of the errors.

    Attributes
    ----------
    maps : tensor [n, row, col]
        Change of the heights at the corners, in samples, per unit of each.
    covariance : array [n, n]
        Of the errors, given the images and what is stated.
    told : array [n, n]
        Takes from a descent what the images are trusted with.
    """

    maps: Tensor
    covariance: Float
    told: Float

    def shift(self, channels: Channels, descent: Float) -> Float:
        """Give the change [n] of the channels by which the cost falls most; `descent` with the heights following."""
        return np.asarray(self.covariance @ (self.told @ descent - channels.precision @ channels.values))


def marginal(
    channels: Channels, fitted: Brightness, couple: Callable[[Tensor], Tensor], solve: Callable[[Tensor], Tensor]
) -> Marginal:
    """Let heights and channels follow each other: the block inverse of their joint normal equations.

    With ``H = [[A, B], [B', C + P]]`` (heights, channels, P what is stated): maps ``D = -A^-1 B``, covariance
    ``(C + B' D + P)^-1``. What a tilt explains nearly cancels in ``C + B' D``: `solve` has to be close, and all has to be of one
    model. Where little is left of C, smallest errors of the model would make large ones of the gains: such combinations are left
    as stated.

    Parameters
    ----------
    fitted : Brightness
        Of the model that `couple` and `solve` linearise.
    couple, solve : callable
        From a change of the signals to the right-hand side of the heights, and ``A^-1``.
    """
    coupled = [couple(channels.change(i, fitted.model)) for i in range(len(channels.names))]
    maps = torch.stack([-solve(each) for each in coupled])
    follow = [[float((each.double() * one.double()).sum()) for one in maps] for each in coupled]
    fixed = channels.information(fitted)
    known = fixed + np.array(follow)
    values, vectors = np.linalg.eigh(channels.covariance)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    sure, turn = np.linalg.eigh(root.T @ (0.5 * (known + known.T)) @ root)
    scaled = root @ turn
    trusted = (sure > 1.0) & (sure > _OWN_PART * np.einsum("im,ij,jm->m", scaled, fixed, scaled))
    covariance = (scaled / np.where(trusted, 1.0 + sure, 1.0)) @ scaled.T
    told = (np.linalg.pinv(root).T @ turn * trusted) @ scaled.T
    return Marginal(maps, np.asarray(covariance, np.float64), np.asarray(told, np.float64))
