"""Gauss-Newton on the height map through the exact forward model, with conjugate gradients in the cosine basis.

The unknown is the height of each sample; what blocks each pixel is found anew in every outer step and held within it. The cost is
half the chi-square of the images, the material factor of each pixel fitted (`brightness`), plus the curvature prior, which
iteratively reweighted squares stand for. The normal equations are solved by conjugate gradients with a preconditioner that is
diagonal in the cosine basis: the mean information on slopes, blurred as the images are, and the prior's mean stiffness.
Steps that raise the cost are halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from eclips_app.engine.dct import dct2, eigenvalues, idct2
from eclips_app.engine.forward.linearised import Linearised
from eclips_app.engine.forward.model import ForwardModel
from eclips_app.engine.refine.brightness import Brightness
from eclips_app.engine.refine.curvature import Curvature, second_differences, second_differences_adjoint

_DARKEST = 0.02  #: of the mean signal: below, the noise is taken as if it were this bright
_SHORTEST_STEP = 0.1


@dataclass(frozen=True)
class Rules:
    """When to stop.

    Attributes
    ----------
    outer : int
        Outer steps at most.
    fall : float
        Relative fall of the cost in an outer step below which it is done.
    inner : int
        Conjugate-gradient steps at most, in each outer one.
    tolerance : float
        Of the preconditioned residual, relative to the start of the outer step.
    adapt : int
        Outer steps, from the first, that begin with the prior's weight fitted to the surface found so far.
    """

    outer: int = 8
    fall: float = 1e-3
    inner: int = 25
    tolerance: float = 0.03
    adapt: int = 0


@dataclass(frozen=True)
class Data:
    """What was measured.

    Attributes
    ----------
    signal : tensor [k, row, col]
        Offsets and gains taken away, all in one unit.
    scale, floor : float
        Noise: ``variance = scale * signal + floor``.
    usable : tensor [k, row, col], optional
        1 where a signal counts, 0 where it does not.
    """

    signal: Tensor
    scale: float
    floor: float = 0.0
    usable: Tensor | None = None

    def weight(self, model: Tensor) -> Tensor:
        """Give the inverse variance of signals that a model predicts; 0 where they are not used."""
        lowest = _DARKEST * float(self.signal.mean())
        weight = 1.0 / (self.scale * model.clamp(min=max(lowest, 1e-30)) + self.floor)
        return weight if self.usable is None else weight * self.usable


@dataclass
class Progress:
    """What happened so far."""

    cost: list[float] = field(default_factory=list)  #: at the start and after each outer step
    inner: list[int] = field(default_factory=list)  #: conjugate-gradient steps of each outer step


Report = Callable[[int, float], None]  #: outer step and the part of it that is done; may raise to stop


class GaussNewton:
    """One solution; `height_nm` is the best so far at any time, `about` the model there."""

    def __init__(
        self, model: ForwardModel, data: Data, prior: Curvature, height_nm: Tensor, rules: Rules | None = None
    ) -> None:
        self.model, self.data, self.prior, self.rules = model, data, prior, rules or Rules()
        self.progress = Progress()
        self.weight = data.weight(data.signal)
        self._take(height_nm)
        self.progress.cost.append(self._cost())

    def run(self, report: Report = lambda step, part: None) -> Tensor:
        """Take outer steps until the rules say stop; gives the heights in nm."""
        for number in range(self.rules.outer):
            before = self._reweighted(adapt=self.rules.adapt > number)
            change, steps = self.solved(
                self._descent(), self.preconditioner(), self.rules.tolerance, partial(report, number)
            )
            after = self._advanced(change, before)
            self.progress.cost.append(after)
            self.progress.inner.append(steps)
            if number + 1 >= self.rules.adapt and before - after < self.rules.fall * abs(before):
                break
        return self.height_nm

    @property
    def residual(self) -> Tensor:
        """Measured minus model [k, row, col]."""
        return self.data.signal - self.fitted.model

    def information(self, change: Tensor) -> Tensor:
        """Apply the Gauss-Newton matrix (inverse covariance, prior included) to a change of the heights in samples."""
        spacing = self.model.spacing_nm
        moved = self.fitted.changed(self.about.tangent(change * spacing))
        data = self.about.adjoint(self.fitted.graded(moved)) * spacing
        return data + second_differences_adjoint(self.stiffness * second_differences(change))

    def _take(self, height_nm: Tensor) -> None:
        self.height_nm = height_nm
        self.about = Linearised(self.model, height_nm)
        self.fitted = Brightness(self.about.images, self.data.signal, self.weight)
        self.stiffness = self.prior.stiffness(height_nm / self.model.spacing_nm)

    @property
    def misfit(self) -> float:
        """Half the chi-square of the images."""
        return 0.5 * float((self.weight * self.residual**2).double().sum())

    def _cost(self) -> float:
        return self.misfit + self.prior.cost(self.height_nm / self.model.spacing_nm)

    def _reweighted(self, *, adapt: bool) -> float:
        """Let the noise follow the model, and the prior the surface, and give the cost with them."""
        if adapt:
            height = self.height_nm / self.model.spacing_nm
            self.prior = self.prior.adapted(height)
            self.stiffness = self.prior.stiffness(height)
        self.weight = self.data.weight(self.fitted.model)
        self.fitted = Brightness(self.about.images, self.data.signal, self.weight)
        return self._cost()

    def _advanced(self, change: Tensor, before: float) -> float:
        """Go along a change of the heights in samples as far as the cost falls; gives the cost."""
        start, length = self.height_nm, 1.0
        while True:
            self._take(start + length * self.model.spacing_nm * change)
            after = self._cost()
            if after < before:
                return after
            if length < _SHORTEST_STEP:
                self._take(start)
                return before
            length *= 0.5

    def _descent(self) -> Tensor:
        """Give minus the derivative of the cost by the heights in samples."""
        height = self.height_nm / self.model.spacing_nm
        data = self.about.adjoint(self.fitted.graded(self.residual)) * self.model.spacing_nm
        return data - second_differences_adjoint(self.stiffness * second_differences(height))

    def solved(
        self, right: Tensor, spectrum: Tensor, tolerance: float, report: Callable[[float], None]
    ) -> tuple[Tensor, int]:
        """Solve the normal equations for a right-hand side; gives a change of the heights in samples and the steps taken.

        `spectrum` is what `preconditioner` gives.
        """
        left = right.clone()
        found = torch.zeros_like(left)
        better = _filtered(left, spectrum)
        along, size = better.clone(), float((left * better).double().sum())
        start = size
        for step in range(1, self.rules.inner + 1):
            report(step / self.rules.inner)
            applied = self.information(along)
            length = size / float((along * applied).double().sum())
            found += length * along
            left -= length * applied
            better = _filtered(left, spectrum)
            size, last = float((left * better).double().sum()), size
            if size < tolerance**2 * start:
                break
            along = better + (size / last) * along
        return found, step

    def preconditioner(self) -> Tensor:
        """Give the mean Gauss-Newton matrix in the cosine basis, [row, col]."""
        rows, columns = self.height_nm.shape
        step = self.model.response.subpixels
        waves = [np.pi * np.arange(n) / n for n in (rows, columns)]
        # Central differences pass sin w; the mean over a pixel's samples and the probe lower fine waves.
        seen = [np.sin(w) ** 2 * np.sinc(w / np.pi * step / 2) ** 2 for w in waves]
        spread = [np.exp(-((w * self.model.response.probe_sigma) ** 2)) for w in waves]
        right, up = self._slope_information()
        total = (right * seen[1][None, :] + up * seen[0][:, None]) * spread[0][:, None] * spread[1][None, :]
        stiffness = float(self.stiffness.median())
        total = total + stiffness * (eigenvalues(rows)[:, None] + eigenvalues(columns)[None, :]) ** 2
        total[0, 0] = total[0, 1]
        return torch.from_numpy(total).to(self.height_nm)

    def _slope_information(self) -> tuple[float, float]:
        """Give the mean information on the two slopes per sample, with nothing in the way."""
        found = []
        for images in self.about.by_slopes():
            change = self.fitted.changed(images)
            found.append(float((self.weight * change * change).sum(0).mean()) / self.model.response.subpixels**2)
        return found[0], found[1]


def _filtered(field: Tensor, spectrum: Tensor) -> Tensor:
    return idct2(dct2(field.clone()) / spectrum)
