"""What the Vision Field Transformer is trained on: slopes of random specimens and their exact horizons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from eclips_app.core.training import Train
from eclips_app.engine.surrogates.chords import CHORDS_PX
from eclips_app.engine.surrogates.horizon_net import HorizonNet
from eclips_app.engine.surrogates.measure import intensity_errors, measured_model
from eclips_app.engine.surrogates.vft import Vft, VftSize
from eclips_app.engine.surrogates.vft_weights import FORMAT, statistics
from eclips_app.engine.training.card import Card
from eclips_app.engine.training.labels import horizons, slopes
from eclips_app.engine.training.loop import Batch, Plan, Sample, Trained
from eclips_app.engine.training.specimens import Recipe, specimen
from eclips_app.engine.training.step import Prepared, recipes

_JUDGED = 24  #: held-out specimens
_LARGEST_POLAR = float(np.deg2rad(80.0))  #: no detector reaches flatter directions
_FLATTEST = float(np.tan(np.deg2rad(10.0)))  #: slope of a horizon there
_EMITTED_SCALE, _ANGLE_SCALE = (
    0.02,
    0.05,
)  #: below which errors count with their squares: part of a flat's signal, radians
_ANGLE_SHARE = 0.1  #: weight of the bare angle: it teaches where little is emitted


class HorizonTask:
    """Trains a network that gives horizons; see `engine.training.loop.Task`."""

    def __init__(self, net: HorizonNet, recipe: Recipe, judged: Recipe) -> None:
        self.net = net
        self._recipe = recipe
        self._model = measured_model(net.azimuths)
        self._judged = [_sample(specimen(judged, index), net.azimuths) for index in range(_JUDGED)]

    def sample(self, index: int) -> Sample:
        """Give ``slopes`` [2, row, col] and ``horizon`` [a, row, col]."""
        return _sample(specimen(self._recipe, index), self.net.azimuths)

    def losses(self, net: nn.Module, batch: Batch) -> Tensor:
        """Give the loss of each specimen, mostly of how much emission the horizons hide; see `_emitted`."""
        assert isinstance(net, HorizonNet)
        found, exact = net(batch["slopes"]).float(), batch["horizon"]
        emitted, open_to = _emitted(net, batch["slopes"], found)
        with torch.no_grad():
            wanted, true_open_to = _emitted(net, batch["slopes"], exact)
        quarter = net.azimuths // 4
        sums = [
            e.reshape(len(e), 4, quarter, *e.shape[2:]).mean(2) for e in (emitted, wanted)
        ]  # what a segment would see
        parts = (
            F.smooth_l1_loss(emitted, wanted, reduction="none", beta=_EMITTED_SCALE),
            F.smooth_l1_loss(sums[0], sums[1], reduction="none", beta=_EMITTED_SCALE),
            _ANGLE_SHARE * F.smooth_l1_loss(open_to, true_open_to, reduction="none", beta=_ANGLE_SCALE),
        )
        return torch.stack([part.flatten(1).mean(1) for part in parts]).sum(0)

    def scores(self, net: nn.Module) -> dict[str, float]:
        """Give errors on held-out specimens: of intensity (``error``, part of a flat; ``p99``) and of the horizon in degrees."""
        assert isinstance(net, HorizonNet)
        rows = [intensity_errors(net, self._model, sample["slopes"], sample["horizon"]) for sample in self._judged]
        relative = torch.cat([row.relative.flatten() for row in rows])
        angle = torch.cat([row.angle_deg.flatten() for row in rows])
        return {
            "error": float(relative.mean()), "p99": float(np.percentile(relative.numpy(), 99.0)),
            "horizon_rms_deg": float(angle.square().mean().sqrt()),
        }  # fmt: skip


def prepare(inputs: Mapping[str, NDArray[Any]], params: Train) -> Prepared:
    """Prepare the training; measured maps are split by file."""
    size = VftSize()
    recipe, judged = recipes(inputs, params)
    net = Vft(size)
    plan = Plan(
        steps=params.steps, minutes=params.minutes, batch=params.batch, seed=params.seed, rate=5e-3, judge_every=100
    )

    def metadata(trained: Trained) -> dict[str, str]:
        error = min(row["error"] for row in trained.history)
        return {
            "model": "vft", "format": FORMAT, "size": json.dumps(asdict(size)), "recipe": recipe.words(),
            "statistics": json.dumps(statistics(net, recipe)), "steps": str(trained.steps), "error": f"{error:.6f}",
        }  # fmt: skip

    return Prepared(HorizonTask(net, recipe, judged), plan, _card(size, recipe, len(judged.maps)), metadata)


def _sample(height_px: NDArray[np.float64], azimuths: int) -> dict[str, NDArray[np.float32]]:
    return {"slopes": slopes(height_px), "horizon": horizons(height_px, azimuths)}


def _emitted(net: HorizonNet, slopes: Tensor, horizon: Tensor) -> tuple[Tensor, Tensor]:
    """Give what leaves in each azimuth above the horizon [n, a, row, col] in units of a flat's, and the open polar angle.

    Lambert emission, ``2 Int_0^t n.w sin t' dt'``: what a detector that sees everything would catch. So angles count as much as
    they hide, whatever the detector.
    """
    inverse = torch.rsqrt(1.0 + slopes.square().sum(1, keepdim=True))
    toward = -net.tangents(slopes) * inverse
    open_to = torch.pi / 2 - torch.atan(horizon.clamp(min=0.0))
    m = horizon.clamp(min=_FLATTEST)
    sine_squared = 1.0 / (1.0 + m.square())
    return toward * (open_to.clamp(max=_LARGEST_POLAR) - m * sine_squared) + inverse * sine_squared, open_to


def _card(size: VftSize, recipe: Recipe, judged_by: int) -> Card:
    known = len(recipe.maps)
    split = f" Measured maps, split by file: {known} to train on, {judged_by} to judge by." if known else ""
    return Card(
        "Vision Field Transformer",
        "Gives the horizon in each azimuth from the slopes of a surface; the detector enters afterwards, in the physics layer.",
        f"The steepest chords within {CHORDS_PX} px, from slopes by fixed filters; corrections to them by a network: stem of "
        f"{size.patch} px tokens, {size.depth} blocks of attention in windows of {size.window} x {size.window} tokens, "
        f"every second one shifted, width {size.width}, {size.heads} heads; {size.detail} features at full resolution; "
        f"{size.azimuths} azimuths.",
        f"Random specimens, made while training and never twice but for hard ones: {recipe.words()}. Exact horizons.{split}",
        "Slopes or relief beyond those trained on are flagged. What a slope map cannot tell is lost: steps within a pixel, "
        "shadows from beyond the window. On a CPU the exact model is faster and has no such error.",
        "error, p99: mean and 99th percentile over pixels and segments of a usual detector (15 to 60°), difference to the exact "
        "image in parts of its intensity, or of a fifth of a flat's where that is larger. Loss: mean of new specimens.",
    )
