"""Weights of a Vision Field Transformer from a file, and the range of surfaces that they have learnt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eclips_app.core.errors import EclipsError
from eclips_app.core.paths import resource
from eclips_app.core.schema import load
from eclips_app.engine.surrogates.relief import relief
from eclips_app.engine.surrogates.vft import Vft, VftSize
from eclips_app.engine.training.labels import slopes as slopes_of
from eclips_app.engine.training.specimens import Recipe, specimen
from eclips_app.engine.training.weights import put_into, read_weights

FORMAT = "2"  #: of the network: earlier ones had no chords
_SURVEYED = 64  #: specimens whose slopes and relief are looked at
_PERCENTILE = 99.9
_LARGEST = 100_000_000  #: parameters: a file that asks for more is wrong


@dataclass(frozen=True)
class Range:
    """What was common in training: all but one pixel in a thousand lay within.

    Attributes
    ----------
    slope : float
        Steepest slope.
    relief_px : float
        Largest height above or below the surroundings (`relief` of tokens).
    """

    slope: float
    relief_px: float


def shipped() -> Path:
    """Give the file of the weights that come with the program."""
    return resource("models/vft.safetensors")


def read_vft(path: Path | None = None, device: torch.device | None = None) -> tuple[Vft, Range]:
    """Read a network, ready to use, and its range; by default the one that comes with the program.

    Raises
    ------
    EclipsError
        The file is missing, unsound, or not that of a Vision Field Transformer.
    """
    file = path or shipped()
    tensors, metadata = read_weights(file)
    if metadata.get("model") != "vft" or metadata.get("format") != FORMAT:
        raise EclipsError(
            "these are not weights of this program's Vision Field Transformer", where=str(file), hint="Train it anew."
        )
    try:
        size = load(VftSize, json.loads(metadata["size"]), str(file))
        learnt = load(Range, json.loads(metadata["statistics"]), str(file))
    except (KeyError, ValueError) as error:
        raise EclipsError("its metadata do not say how large the network is", where=str(file)) from error
    net = _sized(size, sum(t.numel() for t in tensors.values()), str(file))
    return put_into(net, tensors, str(file), device), learnt


def statistics(net: Vft, recipe: Recipe) -> dict[str, float]:
    """Survey the specimens of a recipe; gives the fields of `Range`."""
    steep, high = [], []
    for index in range(_SURVEYED):
        given = torch.from_numpy(slopes_of(specimen(recipe, index)))
        steep.append(given.square().sum(0).sqrt().flatten())
        high.append(_token_relief(net, given).abs().flatten())
    values = [float(np.percentile(torch.cat(part).numpy(), _PERCENTILE)) for part in (steep, high)]
    return {"slope": values[0], "relief_px": values[1]}


def out_of_range(net: Vft, learnt: Range, slopes: Tensor) -> tuple[Tensor, str]:
    """Tell where slopes [2, row, col] are beyond what was learnt: a mask [row, col], and a sentence, empty if nowhere."""
    with torch.no_grad():
        steep = slopes.square().sum(0).sqrt() > learnt.slope
        tokens = _token_relief(net, slopes).abs() > learnt.relief_px
        patch = net.size.patch
        high = tokens.repeat_interleave(patch, 0).repeat_interleave(patch, 1)[: slopes.shape[1], : slopes.shape[2]]
    mask = steep | high
    share = float(mask.float().mean())
    if share == 0.0:
        return mask, ""
    parts = [
        f"{100 * float(part.float().mean()):.2g} % {words}"
        for part, words in (
            (steep, f"steeper than {np.rad2deg(np.arctan(learnt.slope)):.0f}°"),
            (high, f"more than {learnt.relief_px:.0f} px above or below the surroundings"),
        )
        if part.any()
    ]
    return mask, f"{100 * share:.2g} % of the surface is beyond what the network was trained on: {', '.join(parts)}."


def _token_relief(net: Vft, slopes: Tensor) -> Tensor:
    """Give the local relief of tokens in pixels, [row, col]."""
    patch = net.size.patch
    filled = F.pad(slopes[None], (0, -slopes.shape[2] % patch, 0, -slopes.shape[1] % patch))
    return relief(F.avg_pool2d(filled, patch), net.coarse)[0, 0] * patch


def _sized(size: VftSize, numbers: int, where: str) -> Vft:
    """Make a network of a size that the file has the numbers for; sizes that no network has are refused."""
    wrong = EclipsError("its metadata do not describe a network", where=where)
    fields = (size.width, size.depth, size.heads, size.window, size.patch, size.detail, size.azimuths)
    if not all(0 < n <= 4096 for n in fields) or numbers > _LARGEST:
        raise wrong
    if size.width % size.heads or size.window % 2 or size.azimuths % 4 or size.depth > 64 or size.window > 32:
        raise wrong
    if size.depth * size.width**2 > 2 * numbers or size.detail * size.patch**2 * size.width > 2 * numbers:
        raise wrong
    return Vft(size)
