"""Gauss-Newton on the height map through the exact forward model, with conjugate gradients in the cosine basis.

The unknowns are the heights at the corners of samples (`forward.cells`); what blocks each pixel is found anew in every outer step
and held within it. The cost is half the chi-square of the images, material factor (`brightness`), gains and offsets (`channels`)
fitted, plus the curvature prior, which iteratively reweighted squares stand for. The normal equations are solved by conjugate
gradients with a preconditioner that is diagonal in the cosine basis: the mean information on slopes, blurred as the images are,
and the prior's mean stiffness. Steps that raise the cost are halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from eclips_app.engine.dct import dct2, idct2
from eclips_app.engine.forward.linearised import Linearised
from eclips_app.engine.forward.model import ForwardModel
from eclips_app.engine.refine.brightness import Brightness, Material
from eclips_app.engine.refine.channels import Channels
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
    scale, floor : tensor [k, 1, 1]
        Noise: ``variance = scale * signal + floor``.
    usable : tensor [k, row, col], optional
        1 where a signal counts, 0 where it does not.
    """

    signal: Tensor
    scale: Tensor
    floor: Tensor
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
    misfit: list[float] = field(default_factory=list)  #: half the chi-square of the images, likewise
    inner: list[int] = field(default_factory=list)  #: conjugate-gradient steps of each outer step
    settled: bool = False  #: whether the last step gained less than the rules ask for


Report = Callable[[int, float], None]  #: outer step and the part of it that is done; may raise to stop


@dataclass(frozen=True)
class Place:
    """Heights at the corners in nm, the model about them, their brightness, and what the prior's cost bends like there."""

    height_nm: Tensor
    about: Linearised
    fitted: Brightness
    stiffness: Tensor


class GaussNewton:
    """One solution; `at` is the best so far at any time."""

    def __init__(
        self, model: ForwardModel, data: Data, prior: Curvature, height_nm: Tensor, rules: Rules | None = None,
        material: Material | None = None, channels: Channels | None = None,
    ) -> None:  # fmt: skip
        self.model, self.data, self.prior, self.rules = model, data, prior, rules or Rules()
        self.material, self.channels = material or Material(), channels or Channels()
        self.progress = Progress()
        self.beyond: Tensor | None = None
        self.signal = self.channels.corrected(data.signal)
        self.weight = data.weight(self.signal)
        self.at = self._place(height_nm)
        self._note(self._cost())

    def run(self, report: Report = lambda step, part: None) -> Tensor:
        """Take outer steps until the rules say stop; gives the heights in nm."""
        for number in range(self.rules.outer):
            report(number, 0.0)
            before = self._reweighted(adapt=self.rules.adapt > number)
            change, steps = self.solved(
                self.descent(), self.preconditioner(), self.rules.tolerance, partial(report, number)
            )
            after = self._advanced(change, before)
            self._note(after)
            self.progress.inner.append(steps)
            if number + 1 >= self.rules.adapt and before - after < self.rules.fall * abs(before):
                self.progress.settled = True
                break
        return self.at.height_nm

    def go_to(self, height_nm: Tensor, beyond: Tensor | None = None) -> None:
        """Take the model about other heights at the corners, and the signals as `channels` say by now.

        `beyond` is what the model's images lack for want of samples.
        """
        self.beyond, self.signal = beyond, self.channels.corrected(self.data.signal)
        self.at = self._place(height_nm)

    @property
    def residual(self) -> Tensor:
        """Measured, with the gains and offsets found, minus model [k, row, col]."""
        return self.signal - self.at.fitted.model

    def information(self, change: Tensor) -> Tensor:
        """Apply the Gauss-Newton matrix (inverse covariance, prior included) to a change of the heights in samples."""
        spacing = self.model.spacing_nm
        moved = self.at.fitted.changed(self.at.about.tangent(change * spacing))
        return self.coupled(moved) + second_differences_adjoint(self.at.stiffness * second_differences(change))

    def coupled(self, change: Tensor) -> Tensor:
        """Give the right-hand side of the normal equations for signals that are off by a change [k, row, col]."""
        return self.at.about.adjoint(self.at.fitted.graded(change)) * self.model.spacing_nm

    def _place(self, height_nm: Tensor) -> Place:
        about = Linearised(self.model, height_nm)
        return Place(height_nm, about, self._brightness(about), self.prior.stiffness(height_nm / self.model.spacing_nm))

    def _brightness(self, about: Linearised) -> Brightness:
        images = about.images if self.beyond is None else about.images + self.beyond
        return Brightness(images, self.signal, self.weight, self.material)

    @property
    def chi2(self) -> float:
        """Chi-square of the images over the number of signals less that of the brightnesses fitted to them."""
        return 2.0 * self.misfit / self.at.fitted.freedom

    @property
    def left(self) -> Tensor:
        """Squared residuals over their variance, summed over the segments [row, col]."""
        return (self.weight * self.residual**2).sum(0)

    @property
    def misfit(self) -> float:
        """Half the chi-square of the images."""
        return 0.5 * float((self.weight * self.residual**2).double().sum())

    def _cost(self) -> float:
        return self.misfit + self.prior.cost(self.at.height_nm / self.model.spacing_nm) + self.channels.cost()

    def _note(self, cost: float) -> None:
        self.progress.cost.append(cost)
        self.progress.misfit.append(self.misfit)

    def _reweighted(self, *, adapt: bool) -> float:
        """Let the noise follow the model, and the prior the surface, and give the cost with them."""
        if adapt:
            height = self.at.height_nm / self.model.spacing_nm
            self.prior = self.prior.adapted(height)
            self.at = replace(self.at, stiffness=self.prior.stiffness(height))
        self.weight = self.data.weight(self.at.fitted.model)
        self.at = replace(self.at, fitted=self._brightness(self.at.about))
        return self._cost()

    def _advanced(self, change: Tensor, before: float) -> float:
        """Go along a change of the heights in samples as far as the cost falls; gives the cost."""
        start, length = self.at, 1.0
        while length >= _SHORTEST_STEP:
            self.at = self._place(start.height_nm + length * self.model.spacing_nm * change)
            after = self._cost()
            if after < before:
                return after
            self.at, length = start, 0.5 * length
        return before

    def descent(self) -> Tensor:
        """Give minus the derivative of the cost by the heights in samples."""
        height = self.at.height_nm / self.model.spacing_nm
        return self.coupled(self.residual) - second_differences_adjoint(self.at.stiffness * second_differences(height))

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
        if start == 0.0:
            return found, 0
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
        rows, columns = (next_fast_len(n) for n in self.at.height_nm.shape)
        step = self.model.response.subpixels
        waves = [np.pi * np.arange(n) / n for n in (rows, columns)]
        # Differences across a cell pass 2 sin w/2, means cos w/2; the mean over a pixel's cells and the probe lower fine waves.
        mean = [np.cos(w / 2) ** 2 * np.sinc(w / np.pi * step / 2) ** 2 for w in waves]
        seen = [4 * np.sin(w / 2) ** 2 * np.sinc(w / np.pi * step / 2) ** 2 for w in waves]
        spread = [np.exp(-((w * self.model.response.probe_sigma) ** 2)) for w in waves]
        right, up = self._slope_information()
        total = (
            (right * mean[0][:, None] * seen[1] + up * seen[0][:, None] * mean[1])
            * spread[0][:, None]
            * spread[1][None, :]
        )
        stiffness = float(self.at.stiffness.median())
        bends = [4 * np.sin(w / 2) ** 2 for w in waves]
        total = total + stiffness * (bends[0][:, None] + bends[1]) ** 2
        total[0, 0] = total[0, 1]
        return torch.from_numpy(total).to(self.at.height_nm)

    def _slope_information(self) -> tuple[float, float]:
        """Give the mean information on the two slopes per sample, with nothing in the way."""
        found = []
        for images in self.at.about.by_slopes():
            change = self.at.fitted.changed(images)
            found.append(float((self.weight * change * change).sum(0).mean()) / self.model.response.subpixels**2)
        return found[0], found[1]


def _filtered(field: Tensor, spectrum: Tensor) -> Tensor:
    """Divide by a spectrum, on a grid that may be a little larger: some sizes take many times longer to transform."""
    rows, columns = field.shape
    wide = torch.nn.functional.pad(field, (0, spectrum.shape[1] - columns, 0, spectrum.shape[0] - rows))
    return idct2(dct2(wide.clone()) / spectrum)[:rows, :columns].contiguous()
