"""What the integrator "pinn" is trained on: noisy slopes of random specimens, whose heights are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eclips_app.core.training import Train
from eclips_app.engine.forward.model import slopes as slopes_of
from eclips_app.engine.integrators import integrate_by, least_squares
from eclips_app.engine.integrators.noisy import noisy, seen_by_pixels
from eclips_app.engine.integrators.pinn_net import CHANNELS, FORMAT, PinnNet, features_of, given
from eclips_app.engine.training.card import Card
from eclips_app.engine.training.loop import Batch, Plan, Sample, Trained
from eclips_app.engine.training.specimens import Recipe, specimen
from eclips_app.engine.training.step import Prepared, recipes

Float = NDArray[np.float64]

NOISIEST_DEG = 3.0
_JUDGED = 48  #: held-out specimens
_FLAT_SHARE, _FLATTEST = 0.3, 1e-3  #: part of the specimens made flat, and their least root mean square slope
_HOLES_SHARE = 0.15
_SHARES = {"height": 1.0, "pde": 1.0, "normal": 0.5, "neumann": 0.25}  #: weights of the losses


class PinnTask:
    """Trains a `PinnNet`; see `engine.training.loop.Task`."""

    def __init__(self, net: PinnNet, recipe: Recipe, judged: Recipe) -> None:
        self.net: nn.Module = net
        self._recipe = recipe
        self._judged = [problem(judged, index) for index in range(_JUDGED)]

    def sample(self, index: int) -> Sample:
        """Give `problem` of the specimens to train on."""
        return problem(self._recipe, index)

    def losses(self, net: nn.Module, batch: Batch) -> Tensor:
        """Give the loss of each specimen in units of that of least squares or Wiener, whichever is less."""
        mine = _errors(_missed(net, batch), batch)
        other = [_errors(missed, batch) for missed in (batch["plain"], batch["calm"])]
        return mine / torch.minimum(*other).clamp(min=1e-12)

    def scores(self, net: nn.Module) -> dict[str, float]:
        """Give height errors (``error``) and slope errors beside those of Wiener, and heights beside least squares.

        Each is the mean over specimens of the ratio of root mean squares.
        """
        device = next(net.parameters()).device
        rows = []
        for one in self._judged:
            batch = {name: torch.from_numpy(np.asarray(value)[None]).to(device) for name, value in one.items()}
            rows.append([_rms(each, batch) for each in (_missed(net, batch), batch["calm"], batch["plain"])])
        heights, slope = np.array(rows).transpose(2, 1, 0)
        return {
            "error": float(np.mean(heights[0] / heights[1])), "slopes": float(np.mean(slope[0] / slope[1])),
            "to_least_squares": float(np.mean(heights[0] / heights[2])),
        }  # fmt: skip


def prepare(inputs: Mapping[str, NDArray[Any]], params: Train) -> Prepared:
    """Prepare the training; measured maps are split by file."""
    # Twice the pixels: those of an image are means over areas.
    recipe, judged = recipes(inputs, params, 2 * params.size_px)
    net = PinnNet()
    plan = Plan(
        steps=params.steps, minutes=params.minutes, batch=params.batch, seed=params.seed, rate=2e-3, hard_share=0.0,
        weight_decay=1e-4, judge_every=100, ema=0.995,
    )  # fmt: skip

    def metadata(trained: Trained) -> dict[str, str]:
        error = min(row["error"] for row in trained.history)
        return {
            "model": "pinn", "format": FORMAT, "width": str(net.width), "recipe": recipe.words(),
            "steps": str(trained.steps), "error": f"{error:.6f}",
        }  # fmt: skip

    return Prepared(PinnTask(net, recipe, judged), plan, _card(net, recipe), metadata)


def problem(recipe: Recipe, index: int) -> Sample:
    """Give a specimen with noisy slopes, always the same for the same index.

    ``features`` (of the network), ``plain`` and ``calm`` [row, col]: errors of the heights by least squares and Wiener, ``truth``
    [2, row, col]: true slopes, ``mask``, ``noise`` [1].
    """
    rng = np.random.default_rng((recipe.seed, index, 2))
    height, tangents = seen_by_pixels(specimen(recipe, index))
    if rng.random() < _FLAT_SHARE:
        rms = float(np.sqrt(np.mean(tangents**2)))
        factor = min(1.0, 10.0 ** rng.uniform(np.log10(_FLATTEST), -1.0) / max(rms, 1e-9))
        height, tangents = height * factor, tangents * factor
    read = noisy(tangents, rng.uniform(0.0, NOISIEST_DEG), rng)
    mask = _holes(height.shape, rng) if rng.random() < _HOLES_SHARE else np.ones(height.shape, bool)
    p, q = (torch.from_numpy((each * mask).astype(np.float32)) for each in read)
    here = torch.from_numpy(mask)
    seen = given(p, q, integrate_by("least-squares", p, q, here)[0], here)
    missed = {name: each.numpy() - height for name, each in (("plain", seen.plain), ("calm", seen.calm))}
    found = {
        "features": features_of(seen).numpy(), "truth": tangents, "mask": mask, "noise": np.array([seen.noise]), **missed,
    }  # fmt: skip
    return {name: value.astype(np.float32) for name, value in found.items()}


def _holes(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Give a mask with some round holes."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    mask = np.ones(shape, bool)
    for _ in range(int(rng.integers(1, 6))):
        middle, radius = rng.uniform(0, shape), rng.uniform(1.0, 0.12 * shape[0])
        mask &= (rows - middle[0]) ** 2 + (columns - middle[1]) ** 2 > radius**2
    return mask


def _missed(net: nn.Module, batch: Batch) -> Tensor:
    """Give the error of the network's heights [n, row, col]."""
    assert isinstance(net, PinnNet)
    corrections = net(batch["features"]).float() * (batch["noise"][..., None, None] * batch["mask"][:, None])
    changed = torch.stack([least_squares.surface(each) for each in corrections])
    return batch["plain"] + net.wiener * (batch["calm"] - batch["plain"]) + changed


def _errors(missed: Tensor, batch: Batch) -> Tensor:
    """Give the weighted sum of the losses of each specimen for heights that miss the truth by so much.

    height: squared error about its mean. pde: of the differences between neighbours, which is how far ``dh/dx = p`` and ``dh/dy =
    q`` of the true slopes are missed (their curl is zero already). normal: squared sine of the angle between normals. neumann: of
    the differences across the image's border. Masked pixels do not count.
    """
    mask = batch["mask"]
    count = mask.sum((1, 2))
    level = (missed * mask).sum((1, 2)) / count
    height = ((missed - level[:, None, None]).square() * mask).sum((1, 2)) / count
    across = missed.diff(dim=2).square() * mask[:, :, 1:] * mask[:, :, :-1]
    down = missed.diff(dim=1).square() * mask[:, 1:] * mask[:, :-1]
    pde = across.sum((1, 2)) / count + down.sum((1, 2)) / count
    border = torch.cat([across[:, :, 0], across[:, :, -1], down[:, 0], down[:, -1]], 1).mean(1)
    angle = torch.stack([_squared_angle(m, t) for m, t in zip(missed, batch["truth"], strict=True)])
    normal = (angle * mask).sum((1, 2)) / count
    parts = {"height": height, "pde": pde, "normal": normal, "neumann": border}
    return torch.stack([_SHARES[name] * part for name, part in parts.items()]).sum(0)


def _squared_angle(missed: Tensor, truth: Tensor) -> Tensor:
    """Give the squared sine of the angle between the normals of true slopes and of those missed; exact for the smallest, too."""
    change = slopes_of(missed)
    crossed = change.square().sum(0) + (truth[0] * change[1] - truth[1] * change[0]).square()
    return crossed / ((1.0 + (truth + change).square().sum(0)) * (1.0 + truth.square().sum(0)))


def _rms(missed: Tensor, batch: Batch) -> tuple[float, float]:
    """Give root mean squares of height (about its mean) and differences."""
    here = batch["mask"][0] > 0
    values = missed[0][here]
    across = missed[0].diff(dim=1)[here[:, 1:] & here[:, :-1]]
    return float(values.std()), float(across.square().mean().sqrt())


def _card(net: PinnNet, recipe: Recipe) -> Card:
    return Card(
        "PINN integrator",
        "Gives heights from noisy slopes: what to add to the least squares height, a multiple of the noise measured by the curl.",
        f"U-Net of {CHANNELS} channels (slopes, what least squares and Wiener leave of them, their fine part, curl, noise, mask, "
        f"in units of the noise) on pixels taken together by two, three levels of {net.width} to {2 * net.width} features, "
        "residual blocks without norms. It gives corrections of both slopes, which are integrated by least squares, and one "
        "factor for what Wiener changes. Nothing learnt: least squares.",
        f"Random specimens of twice the pixels, binned, made while training and never twice: {recipe.words()}; "
        f"{100 * _FLAT_SHARE:.0f} % made flat (slopes down to {_FLATTEST:g}), {100 * _HOLES_SHARE:.0f} % with holes; normals "
        f"turned by Gaussian angles of 0 to {NOISIEST_DEG:g}°. Losses beside those of the better of least squares and Wiener: "
        + ", ".join(f"{name} {share:g}" for name, share in _SHARES.items())
        + ".",
        "A denoiser: where noise is less than the surface's features it gains little, and what it takes for noise is lost. "
        "Slope noise that is not white, or not even over the field, is not what it was trained on.",
        "error, slopes: root mean square errors of heights (about their mean) and of their differences, beside Wiener's; "
        "to_least_squares: of heights, beside those of least squares; means over specimens.",
    )  # fmt: skip
