"""Files of the U-Net's weights."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import torch

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.paths import resource
from eclips_app.engine.learned.network import NormalsNet, Widths
from eclips_app.engine.training.weights import put_into, read_weights

FORMAT = "eclips-unet/1"


def shipped() -> Path:
    """Give the file of the weights that come with the program."""
    return resource("models/unet.safetensors")


def read_unet(path: Path | None = None, device: torch.device | None = None) -> NormalsNet:
    """Read a network, ready to use; by default the one that comes with the program. Each caller gets a network of its own.

    Raises
    ------
    EclipsError
        The file is missing, unsound, or not that of a U-Net for normals.
    """
    file = path or shipped()
    tensors, widths = _content(file, file.stat().st_mtime_ns if file.exists() else 0)
    return put_into(NormalsNet(widths), tensors, str(file), device)


@lru_cache(maxsize=2)
def _content(file: Path, _written: int) -> tuple[dict[str, torch.Tensor], Widths]:
    tensors, metadata = read_weights(file)
    if metadata.get("format") != FORMAT:
        raise EclipsError(
            "this file holds no U-Net for normals", where=str(file), hint="Choose one that eclips train unet has made."
        )
    try:
        widths = schema.load(Widths, json.loads(metadata["widths"]), str(file))
    except (KeyError, ValueError) as error:
        raise EclipsError(
            "the description of this U-Net is damaged", where=str(file), hint="Train it again."
        ) from error
    levels, numbers = widths.levels, sum(tensor.numel() for tensor in tensors.values())
    sound = 2 <= len(levels) <= 6 and all(0 < level <= 4096 for level in levels)
    if not sound or sum(18 * level**2 for level in levels) > numbers:
        raise EclipsError("its metadata do not describe a network", where=str(file), hint="Train it again.")
    return tensors, widths
