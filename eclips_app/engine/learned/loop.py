"""The self-supervised closed loop: a network's weights are fitted to the images at hand, through the physics.

In each round the network's slopes are integrated, the forward model renders the surface, and what the images miss, in units of
the noise, goes back through all of it into the weights. The cost for each pixel is half the chi-square of its signals, as
Gauss-Newton has it (`refine.solver`, the material factor fitted in closed form), and two terms beside it:

- *curl*: rises of the height that the slopes do not ask for, as if each were measured as well as the images tell
  slopes. A surface has none; the noise of the slopes has half of its power there.
- *nearness*: the angle to the estimate before the first round over the error that the network stated for it, a tenth counted,
  because that estimate has used the same images. Errors far larger than stated count with their size, not their square.

A network that goes on for long enough fits the noise. So the loop ends where chi-square has come down to what noise alone leaves,
1 per degree of freedom (Morozov's discrepancy principle), or where the cost falls no more.

With `Learned.finetune` the rendered images are corrected (see `finetune`): by a network that was trained on a known object, or by
one that is trained in between on the images at hand, whose surface is taken as known for the while.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eclips_app.core.context import Context
from eclips_app.core.errors import Cancelled
from eclips_app.core.steps import Learned
from eclips_app.engine.integrators.least_squares import surface
from eclips_app.engine.learned.features import to_slopes
from eclips_app.engine.learned.finetune import Correction, Finetune, correction_for, score, train
from eclips_app.engine.learned.finetune_file import check_trained_for, read_finetune
from eclips_app.engine.learned.height import curl
from eclips_app.engine.learned.network import NormalsNet, corrections
from eclips_app.engine.learned.renderers import Renderer, renderer
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.refine.brightness import Brightness
from eclips_app.engine.refine.field import Field
from eclips_app.engine.training.optim import optimisers

RATE = 2e-3  #: on random scenes 1e-3 and 2e-3 erred least, and 2e-3 takes fewer rounds
_WARMUP, _LONGEST_WARMUP = 0.3, 20.0  #: part of the rounds, and rounds at most
_LONGEST = 1.0  #: gradient
_CURL = 1.0
_NEAR = 0.1
_EXPECTED = 1.0  #: chi-square per degree of freedom that noise leaves
_PATIENCE, _LEAST_FALL = 20, 1e-3  #: rounds in which the cost must fall by so much
_TUNED_EVERY, _TUNED_UPDATES, _TUNED_LIMIT = 20, 60, 0.1
_SHOWN_EVERY, _SHOWN_PX = 5, 512
_PROBE = 0.01  #: change of the slopes that tells what images say of them


@dataclass(frozen=True)
class Refined:
    """What the loop found; tensors without derivatives.

    Attributes
    ----------
    slopes : tensor [2, row, col]
        Right and up: means over the pixels, of the network.
    log_rho : tensor [row, col]
        Logarithm of the material factor that fits best, in units of the brightness given.
    log_error : tensor [row, col]
        Logarithm of the angle in radians by which the normals of the network as it was given may err.
    height_nm : tensor [row, col]
        Of mean 0.
    images : tensor [k, row, col]
        Rendered, in the unit of the signals.
    chi2 : list of float
        Per degree of freedom (used signals less brightnesses), before the first round and after each.
    rounds : int
        Taken.
    stopping : str
        Why it ended, in a sentence.
    stopped : bool
        Whether by the user.
    finetune : dict or None
        Where rendered images were corrected: chi-square with and without, and how much was corrected (`finetune.Scores`).
    """

    slopes: Tensor
    log_rho: Tensor
    log_error: Tensor
    height_nm: Tensor
    images: Tensor
    chi2: list[float]
    rounds: int
    stopping: str
    stopped: bool
    finetune: dict[str, Any] | None


@dataclass(frozen=True)
class _Seen:
    """One look at the images; `loss` has derivatives."""

    slopes: Tensor
    height_px: Tensor
    plain: Tensor  #: images without Finetune, of unit brightness
    fitted: Brightness
    chi2: float
    loss: Tensor
    cost: float


def refine(
    net: NormalsNet, planes: Tensor, field: Field, brightness: float, params: Learned, context: Context
) -> Refined:
    """Fit a copy of a network's weights to images.

    Parameters
    ----------
    net : NormalsNet
    planes : tensor [CHANNELS, row, col]
        What the network is shown of the images; see `features.planes`.
    field : Field
        The images with their noise and the material of the pixels.
    brightness : float
        Signal of a flat for which `planes` were made.
    params : Learned
        Rounds, renderer, samples within a pixel.
    context : Context
        Shown ``height``, ``chi2`` [n, 2] and ``residual`` [k, row, col]. Told to stop, the best so far is given.
    """
    return _Loop(net, planes, field, brightness, params, context).result()


class _Loop:
    def __init__(
        self, net: NormalsNet, planes: Tensor, field: Field, brightness: float, params: Learned, context: Context
    ) -> None:
        self.planes, self.field, self.brightness, self.params, self.context = planes, field, brightness, params, context
        self.net = copy.deepcopy(net).requires_grad_(True).train()
        self.renderer: Renderer = renderer(field, params)
        self.correction = self._correction()
        self.chi2: list[float] = []
        self.costs: list[float] = []
        self.best: _Seen | None = None
        with torch.no_grad():
            start = self.net.estimate(planes[None], corrections(self.net, planes)[None])
            self.start, self.log_error = start.stereographic[0], start.log_error[0]
            self.information = self._information(start.slopes[0])

    def _correction(self) -> Correction | None:
        """Give the network that corrects rendered images, where one is asked for."""
        params = self.params
        if not params.finetune:
            return None
        network = Finetune(_TUNED_LIMIT)
        if params.finetune_weights:
            path = Path(params.finetune_weights)
            made = read_finetune(path)
            check_trained_for(made, params.detector, params.emission, path.name)
            network = made.network
        return correction_for(network, params.detector, self.renderer, self.planes)

    def result(self) -> Refined:
        """Take rounds, and give the best."""
        stopped = False
        try:
            with watched(self.context.check):
                stopping = self._run()
        except Cancelled:
            if self.best is None:
                raise
            stopping, stopped = f"Stopped by the user after {len(self.chi2) - 1} rounds.", True
        assert self.best is not None
        best = self.best
        floor = torch.finfo(torch.float32).tiny
        return Refined(
            best.slopes, (best.fitted.factor / self.brightness).clamp(min=floor).log(), self.log_error,
            best.height_px * self.field.pixel_size_nm, best.fitted.model, self.chi2, len(self.chi2) - 1, stopping, stopped,
            self._finetuned(best),
        )  # fmt: skip

    def _finetuned(self, best: _Seen) -> dict[str, Any] | None:
        """Tell what the correction does to the best that was found."""
        if self.correction is None:
            return None
        found = score(self.correction, best.plain, best.slopes, self.field)
        return {**found.facts(), "weights": self.params.finetune_weights}

    def _run(self) -> str:
        """Take rounds; gives why it ended."""
        rounds = self.params.rounds
        warmup = min(_WARMUP, _LONGEST_WARMUP / max(rounds, 1))
        made = optimisers(self.net, RATE, 0.0)
        for number in range(rounds + 1):
            self.context.check()
            seen = self._look()
            self._note(number, seen)
            if seen.chi2 <= _EXPECTED:
                self.best = seen
                return f"After {number} rounds chi-square is what noise leaves."
            if number > _PATIENCE + warmup * rounds and self._settled():
                return f"After {number} rounds the cost falls no more."
            if number < rounds:
                made.step(seen.loss, (number + 0.5) / rounds, warmup, _LONGEST)
                self._tune(number + 1, seen)
        return f"The {rounds} rounds allowed were taken."

    def _note(self, number: int, seen: _Seen) -> None:
        self.chi2.append(seen.chi2)
        self.costs.append(seen.cost)
        if self.best is None or seen.cost < self.best.cost:
            self.best = seen
        self._show(number, seen)

    def _settled(self) -> bool:
        return min(self.costs[-_PATIENCE:]) > (1.0 - _LEAST_FALL) * min(self.costs[:-_PATIENCE])

    def _tune(self, number: int, seen: _Seen) -> None:
        """Train the correction on the surface as it is, if it is time and the network is the loop's own."""
        if self.correction is None or self.params.finetune_weights or number % _TUNED_EVERY:
            return
        train(self.correction, seen.plain, seen.slopes, self.field, _TUNED_UPDATES, self.params.seed)
        if self.best is not None:
            self.best = replace(self.best, cost=float("inf"))  # what was best without it is not comparable

    def _look(self) -> _Seen:
        """Let the network see the images, and compare what is rendered of its surface."""
        made = corrections(self.net, self.planes)
        stereographic = self.net.estimate(self.planes[None], made[None]).stereographic[0]
        slopes = to_slopes(stereographic)
        height = surface(slopes)
        plain = self.renderer.images(height, slopes)
        images = plain if self.correction is None else plain * self.correction.factors(plain, slopes)
        with torch.no_grad():
            fitted = self.field.explained(images)
        # The factor is at its best: by it the cost has no derivative.
        missed = self.field.data.signal - fitted.factor * self.field.material.scaled(images)
        misfit = (fitted.weight * missed**2).sum()
        loss = 0.5 * misfit + self._curl(height, slopes) + self._nearness(stereographic)
        loss = loss / missed[0].numel()
        chi2 = float(misfit.detach()) / fitted.freedom
        return _Seen(slopes.detach(), height.detach(), plain.detach(), fitted, chi2, loss, float(loss.detach()))

    def _curl(self, height: Tensor, slopes: Tensor) -> Tensor:
        """Give what the curl of slopes costs; on steep places by the angle."""
        steep = 1.0 + slopes.detach().square().sum(0)
        right, down = curl(height, slopes)
        missed = (right / steep[:, 1:]).square().sum() + (down / steep[1:]).square().sum()
        return 0.5 * _CURL * self.information * missed

    def _nearness(self, stereographic: Tensor) -> Tensor:
        """Give what the way from the first estimate costs."""
        apart = 2.0 * (stereographic - self.start) / (1.0 + self.start.square().sum(0))
        return _NEAR * ((1.0 + (apart / self.log_error.exp()).square().sum(0)).sqrt() - 1.0).sum()

    def _information(self, slopes: Tensor) -> float:
        """Give what the images of a pixel tell about the angle of its slope: the mean inverse variance."""
        height = surface(slopes)
        data = self.field.data
        images = self.renderer.images(height, slopes)
        fitted = Brightness(images, data.signal, data.weight(data.signal), self.field.material)
        found = []
        for axis in (0, 1):
            moved = slopes.clone()
            moved[axis] += _PROBE
            change = fitted.changed((self.renderer.images(height, moved) - images) / _PROBE)
            found.append((fitted.weight * change**2).sum(0) * (1.0 + slopes.square().sum(0)) ** 2)
        return float(torch.stack(found).median())

    def _show(self, number: int, seen: _Seen) -> None:
        rounds = max(self.params.rounds, 1)
        self.context.progress(number / rounds, f"round {number} of {rounds}, chi-square {seen.chi2:.2f}")
        if number % _SHOWN_EVERY:
            return
        step = max(1, max(seen.height_px.shape) // _SHOWN_PX)
        small = seen.height_px[::step, ::step].cpu().numpy() * self.field.pixel_size_nm
        self.context.preview("height", small, pixel_size_nm=self.field.pixel_size_nm * step)
        self.context.preview("chi2", np.stack([np.arange(len(self.chi2)), self.chi2], axis=1))
        residual = (self.field.data.signal - seen.fitted.model)[:, ::step, ::step]
        self.context.preview("residual", residual.cpu().numpy())
