"""Finetune: a light network that corrects rendered images by what a microscope does otherwise than the physics.

The paper lets a network take normals and the rendered image and give a corrected one. Such a network could also learn to paint
whatever topography is missing. This one cannot, by what it is:

- It is one function of few numbers for all pixels and segments, as an emission is: of how far the normal leans towards the
  segment, how far aside, and of the rendered signal beside that of the other segments. It never sees the measured images, nor
  where a pixel is, nor which segment it is.
- It changes the rendered signals by no more than its limit, and those of level places not at all.
- What all segments have in common is the material's, not its own.

How much it changes, and chi-square with and without it on pixels that it was not trained on, is told with every result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from eclips_app.core.detector import Detector
from eclips_app.engine import acceptance
from eclips_app.engine.learned.features import to_stereographic
from eclips_app.engine.learned.renderers import Renderer
from eclips_app.engine.optics.watch import check
from eclips_app.engine.refine.field import Field

WIDTH = 16
_FEATURES = 3
_RATE, _DECAY = 1e-2, 1e-4
_BLOCK_PX = 16  #: held out together, because neighbours share edges and what is wrong with them
_HELD_OUT = 0.25
_ROBUST = 3.0  #: standard deviations beyond which residuals count with their size, not their square
_DARKEST = 1e-3  #: of a flat
_FLAT_PX = 8


class Finetune(nn.Module):
    """The network; at first it corrects nothing.

    Parameters
    ----------
    limit : float
        Largest change of a signal, in parts of it.
    width : int
        Of its two layers.
    """

    def __init__(self, limit: float, width: int = WIDTH) -> None:
        super().__init__()
        self.limit, self.width = limit, width
        self.layers = nn.Sequential(
            nn.Linear(_FEATURES, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Give the factors of the signals [k, ...] for features [k, ..., 3]; zeros are a level place."""
        found = self.layers(features)[..., 0] - self.layers(features.new_zeros(_FEATURES))
        return 1.0 + self.limit * torch.tanh(found - found.mean(0))


@dataclass(frozen=True)
class Correction:
    """A network for a detector and a forward model.

    Attributes
    ----------
    network : Finetune
    azimuth : tensor [k]
        Of the segments, in radians.
    flat : tensor [k]
        Rendered signals of a level place.
    """

    network: Finetune
    azimuth: Tensor
    flat: Tensor

    def factors(self, images: Tensor, slopes: Tensor) -> Tensor:
        """Give the factors [k, row, col] of rendered images [k, row, col], for slopes (right, up) [2, row, col] of the pixels."""
        lean = to_stereographic(slopes)
        right, up = torch.cos(self.azimuth)[:, None, None], torch.sin(self.azimuth)[:, None, None]
        towards, aside = lean[0] * right + lean[1] * up, lean[1] * right - lean[0] * up
        mean = images.mean(0).clamp(min=_DARKEST) / self.flat.mean()
        shine = images / (self.flat[:, None, None] * mean) - 1.0
        found: Tensor = self.network(torch.stack([towards, aside.square(), shine], -1))
        return found


def correction_for(network: Finetune, detector: Detector, renderer: Renderer, like: Tensor) -> Correction:
    """Make a network ready for a detector, a forward model, and tensors like the one given."""
    vectors = acceptance.vectors(detector)
    azimuth = torch.from_numpy(np.arctan2(vectors[:, 1], vectors[:, 0])).to(like)
    with torch.no_grad():
        level = like.new_zeros((_FLAT_PX, _FLAT_PX))
        flat = renderer.images(level, torch.stack([level, level]))[:, _FLAT_PX // 2, _FLAT_PX // 2]
    return Correction(network.to(like), azimuth, flat)


@dataclass(frozen=True)
class Scores:
    """How a correction does.

    Attributes
    ----------
    chi2_without, chi2_with : float
        Per degree of freedom, on pixels that it was not trained on.
    rms, largest, limit : float
        Of the changes, in parts of the signal.
    at_limit : float
        Part of the changes that the limit cuts short.
    """

    chi2_without: float
    chi2_with: float
    rms: float
    largest: float
    limit: float
    at_limit: float

    def facts(self) -> dict[str, float]:
        """Give them by name."""
        return asdict(self)


def train(
    correction: Correction, images: Tensor, slopes: Tensor, field: Field, updates: int, seed: int,
    report: Callable[[float], None] = lambda part: None,
) -> Scores:  # fmt: skip
    """Train on rendered images [k, row, col] of a surface of slopes [2, row, col], against those of a field; see `Scores`.

    A quarter of the pixels, in blocks, is held out.
    """
    images, slopes = images.detach(), slopes.detach()
    held = _held_out(field.shape, seed).to(images.device)
    network = correction.network.requires_grad_(True)
    made = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=_DECAY)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(made, max(updates, 1))
    for number in range(updates):
        check()
        report(number / updates)
        made.zero_grad()
        _cost(images * correction.factors(images, slopes), field, ~held).backward()  # type: ignore[no-untyped-call]
        made.step()
        falling.step()
    network.requires_grad_(False)
    return score(correction, images, slopes, field, held)


def score(correction: Correction, images: Tensor, slopes: Tensor, field: Field, chosen: Tensor | None = None) -> Scores:
    """Judge a correction on chosen pixels [row, col]; default: all."""
    with torch.no_grad():
        factors = correction.factors(images, slopes)
        there = torch.ones_like(images[0], dtype=torch.bool) if chosen is None else chosen
        change = (factors - 1.0)[:, there].abs()
        limit = correction.network.limit
        without, corrected = (chi2(each, field, there) for each in (images, images * factors))
        return Scores(
            without, corrected, float(change.square().mean().sqrt()), float(change.max()), limit,
            float((change > 0.95 * limit).float().mean()),
        )  # fmt: skip


def chi2(images: Tensor, field: Field, chosen: Tensor) -> float:
    """Give chi-square per degree of freedom of images on chosen pixels [row, col], the brightness fitted."""
    fitted = field.explained(images, chosen)
    missed = field.data.signal - fitted.model
    return float((fitted.weight * missed.square()).double().sum()) / fitted.freedom


def _cost(images: Tensor, field: Field, chosen: Tensor) -> Tensor:
    """Give half the chi-square for each pixel; residuals far beyond the noise, as at edges, count less."""
    with torch.no_grad():
        fitted = field.explained(images, chosen)
    missed = field.data.signal - fitted.factor * field.material.scaled(images)  # the factor is at its best
    robust = _ROBUST**2 * ((1.0 + fitted.weight * missed.square() / _ROBUST**2).sqrt() - 1.0)
    return robust.sum() / chosen.sum().clamp(min=1)


def _held_out(shape: tuple[int, int], seed: int) -> Tensor:
    """Draw the blocks that are not trained on [row, col]."""
    rows, columns = (math.ceil(n / _BLOCK_PX) for n in shape)
    drawn = np.random.default_rng((seed, 5)).permutation(rows * columns) < max(1, round(_HELD_OUT * rows * columns))
    blocks = torch.from_numpy(drawn.reshape(rows, columns))
    wide = blocks.repeat_interleave(_BLOCK_PX, 0).repeat_interleave(_BLOCK_PX, 1)
    return wide[: shape[0], : shape[1]].contiguous()
