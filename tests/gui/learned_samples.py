"""Networks that have learnt nothing yet, small enough for tests."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from eclips_app.engine.learned.network import NormalsNet, Widths
from eclips_app.engine.learned.weights import FORMAT
from eclips_app.engine.surrogates.vft import Vft, VftSize
from eclips_app.engine.surrogates.vft_weights import FORMAT as VFT_FORMAT
from eclips_app.engine.training.weights import write_weights


def small_unet(folder: Path) -> Path:
    """Write the weights of a fresh U-Net; gives their file."""
    torch.manual_seed(3)
    widths = Widths((8, 12, 16))
    path = folder / "small-unet.safetensors"
    write_weights(path, NormalsNet(widths).state_dict(), {"format": FORMAT, "widths": json.dumps(asdict(widths))})
    return path


def small_vft(folder: Path) -> Path:
    """Write the weights of a fresh Vision Field Transformer; gives their file."""
    torch.manual_seed(3)
    size = VftSize(width=16, depth=2, heads=2, window=4, patch=4, detail=8, azimuths=16)
    path = folder / "small-vft.safetensors"
    facts = {"size": json.dumps(asdict(size)), "statistics": json.dumps({"slope": 2.0, "relief_px": 9.0})}
    write_weights(path, Vft(size).state_dict(), {"model": "vft", "format": VFT_FORMAT, **facts})
    return path
