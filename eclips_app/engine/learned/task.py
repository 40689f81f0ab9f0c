"""What the U-Net is trained on: random scenes, and images of the user's own with the height map registered to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from eclips_app.core.training import Train
from eclips_app.engine.learned.features import BLURS_PX, planes, seen, to_stereographic, turned, turned_slopes
from eclips_app.engine.learned.network import LEAST_ERROR, NormalsNet
from eclips_app.engine.learned.pairs import Pair, pairs_of
from eclips_app.engine.learned.scenes import Scene, detected, scene, surfaces
from eclips_app.engine.learned.weights import FORMAT, read_unet
from eclips_app.engine.training.card import Card
from eclips_app.engine.training.loop import Batch, Plan, Sample, Trained
from eclips_app.engine.training.specimens import Recipe
from eclips_app.engine.training.step import Prepared, recipes

RATE = 3e-3
_JUDGED = 24  #: held-out scenes
_JUDGED_DOSE = 1e3  #: electrons on a flat
_BLOCK = 64  #: scenes that are kept
_USES = 8  #: of each
_JUDGED_WINDOWS = 4  #: of each pair
_SMALL = 0.02  #: radians; smaller errors count with their squares
_POOL_PX = 8  #: means of slopes over so many pixels count once more: integration adds up what they have in common
_POOL_SHARE, _RHO_SHARE, _ERROR_SHARE = 0.5, 0.1, 0.005
_STEEP = 2.0  #: slopes beyond count less in those means


class NormalsTask:
    """A task of the training loop."""

    def __init__(
        self, recipe: Recipe, judged: Recipe, pairs: Sequence[Pair] = (), net: NormalsNet | None = None
    ) -> None:
        self._recipe, self._pairs = recipe, pairs
        self.net: nn.Module = net or NormalsNet()
        rng = np.random.default_rng(judged.seed)
        self._judged = [  # by what is trained for
            pair.window(recipe.size, rng, 0, judged=True) for pair in pairs for _ in range(_JUDGED_WINDOWS)
        ] or [sample_of(scene(judged, index), rng, 0, _JUDGED_DOSE) for index in range(_JUDGED)]
        self._scene = lru_cache(maxsize=_BLOCK)(partial(scene, recipe))

    def sample(self, index: int) -> Sample:
        """Give ``planes`` [channel, row, col], ``slopes`` [2, row, col], ``log_rho`` and ``known`` [row, col].

        Every second sample is a window of a pair, where there are any. A scene is rendered once and used several times: turned,
        and with other noise.
        """
        block, inside = divmod(index, _USES * _BLOCK)
        quarters, number = divmod(inside, _BLOCK)
        rng = np.random.default_rng((self._recipe.seed, index, 4))
        if self._pairs and index % 2:
            pair = self._pairs[int(rng.integers(len(self._pairs)))]
            return pair.window(self._recipe.size, rng, int(rng.integers(4)), judged=False)
        return sample_of(self._scene(block * _BLOCK + number), rng, quarters)

    def losses(self, net: nn.Module, batch: Batch) -> Tensor:
        """Give the loss of each scene: angles of normals, mean slopes, material factor, and how well errors are foretold."""
        assert isinstance(net, NormalsNet)
        found, known = net.estimate(batch["planes"]), batch["known"]
        angle = _angle(found.stereographic, batch["slopes"])
        pooled, true = (F.avg_pool2d(_moderate(s), _POOL_PX) for s in (found.slopes, batch["slopes"]))
        whole = (F.avg_pool2d(known, _POOL_PX) == 1.0).to(known)
        # Laplace's distribution of the angle, of which this teaches the width alone; never below zero.
        foretold = angle.detach() * torch.exp(-found.log_error) + found.log_error - LEAST_ERROR
        near = F.smooth_l1_loss(angle, torch.zeros_like(angle), reduction="none", beta=_SMALL)
        together = F.smooth_l1_loss(pooled, true, reduction="none", beta=_SMALL).mean(1)
        parts = (
            (near, known), (_POOL_SHARE * together, whole), (_RHO_SHARE * (found.log_rho - batch["log_rho"]).abs(), known),
            (_ERROR_SHARE * foretold, known),
        )  # fmt: skip
        return torch.stack([_mean(part, weight) for part, weight in parts]).sum(0)

    def scores(self, net: nn.Module) -> dict[str, float]:
        """Give the mean angle in degrees between normals and the truth, and the same of the linear solution."""
        assert isinstance(net, NormalsNet)
        device = next(net.parameters()).device
        rows = []
        for sample in self._judged:
            batch = {name: torch.from_numpy(each)[None].to(device) for name, each in sample.items()}
            found, true = net.estimate(batch["planes"]), batch["slopes"]
            angles = _angle(found.stereographic, true), _angle(batch["planes"][:, :2], true), found.log_error.exp()
            rows.append([float(_mean(each, batch["known"])) for each in angles])
        error, linear, foretold = np.rad2deg(np.mean(rows, axis=0))
        return {"error": float(error), "linear": float(linear), "foretold": float(foretold)}


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Give the weighted means of each sample [n] over the pixels."""
    found: Tensor = (values * weight).flatten(1).mean(1) / weight.flatten(1).mean(1).clamp(min=1e-6)
    return found


def sample_of(
    made: Scene, rng: np.random.Generator, quarters: int = 0, dose: float | None = None
) -> dict[str, NDArray[np.float32]]:
    """Give what the network is shown of a scene, turned by quarters to the left, and the truth."""
    signals, noise = detected(made, rng, dose)
    detector = seen(made.column.detector, 1.0, noise, made.column.readings)
    given = planes(torch.from_numpy(signals), np.ones(signals.shape, bool), detector, 1.0)
    return {
        "planes": turned(given, quarters).numpy().astype(np.float32), "slopes": turned_slopes(made.slopes, quarters),
        "log_rho": np.ascontiguousarray(np.rot90(np.log(made.rho), quarters)), "known": np.ones_like(made.rho),
    }  # fmt: skip


def prepare(inputs: Mapping[str, NDArray[Any]], params: Train) -> Prepared:
    """Prepare the training of the U-Net; measured maps are split by file."""
    recipe, judged = recipes(inputs, params)
    pairs = pairs_of(inputs, params.pairs, params.size_px)
    net = read_unet(Path(params.initial)).requires_grad_() if params.initial else NormalsNet()
    task = NormalsTask(recipe, judged, pairs, net)
    plan = Plan(params.steps, params.minutes, params.batch, RATE, judge_every=100, seed=params.seed, hard_share=0.0)
    widths = net.widths

    def metadata(trained: Trained) -> dict[str, str]:
        error = min(row["error"] for row in trained.history)
        return {
            "model": "unet", "format": FORMAT, "widths": json.dumps(asdict(widths)), "recipe": recipe.words(),
            "steps": str(trained.steps), "error": f"{error:.6f}",
        }  # fmt: skip

    return Prepared(task, plan, _card(widths.levels, recipe, len(pairs)), metadata)


def _angle(stereographic: Tensor, slopes: Tensor) -> Tensor:
    """Give the angle in radians [n, row, col] between normals; its derivative stays finite where they agree."""
    found, true = stereographic, to_stereographic(slopes)
    # Over the product below, the squared distance in the plane is the squared sine of half the angle on the sphere.
    apart = (found - true).square().sum(1)
    around = (1.0 + found.square().sum(1)) * (1.0 + true.square().sum(1))
    return 2.0 * torch.atan2((apart / around + 1e-12).sqrt(), (1.0 - apart / around).clamp(min=1e-6).sqrt())


def _moderate(slopes: Tensor) -> Tensor:
    """Give slopes of which steep ones grow with their logarithm only: one pixel of a wall must not outweigh a field."""
    length = slopes.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()
    steep = _STEEP * (1.0 + torch.log(length / _STEEP))
    return slopes * torch.where(length > _STEEP, steep / length, torch.ones_like(length))


def _card(levels: tuple[int, ...], recipe: Recipe, pairs: int) -> Card:
    own = f" Every second sample: windows of {pairs} measured images with height maps, a quarter of each kept to judge by."
    return Card(
        "U-Net for normals",
        "Gives normals, material factor and the normals' errors from the images of any detector of three segments or more.",
        f"U-Net of {' - '.join(map(str, levels))} features, two convolutions in each block, normalised in each pixel. It is "
        f"shown linear solutions of signals blurred by {', '.join(f'{b:g}' for b in BLURS_PX)} px, sums of the signals over the "
        "segments, and numbers that describe the detector; it mixes the solutions and corrects the mixture.",
        f"Random specimens: {surfaces(recipe).words()}; a sample is half a pixel wide, surroundings cut away. Detectors of 3 to "
        "8 segments (from 8 to 30 up to 40 to 68°), not quite centred and level, probes up to 1.5 px; Lambert emission, or a "
        "material's of which the reconstruction is told; two materials in patches; 200 to 100 000 electrons on a flat, read-out "
        f"noise, gains wrong by up to 1 %.{own if pairs else ''}",
        "What the images do not tell it fills in from what surfaces of its training look like. Its heights carry no standard "
        "deviation of metrological worth: use it to start the closed loop, or look at its chi-square.",
        "error: mean angle in degrees between normals and the truth, of scenes at 1000 electrons, or of measured images; "
        "linear: the same of the linear solution; foretold: mean of the errors that the network states.",
    )
