"""A network that has learnt nothing yet, small enough for tests."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from eclips_app.engine.learned.network import NormalsNet, Widths
from eclips_app.engine.learned.weights import FORMAT
from eclips_app.engine.training.weights import write_weights


def small_unet(folder: Path) -> Path:
    """Write the weights of a fresh network; gives their file."""
    torch.manual_seed(3)
    widths = Widths((8, 12, 16))
    path = folder / "small-unet.safetensors"
    write_weights(path, NormalsNet(widths).state_dict(), {"format": FORMAT, "widths": json.dumps(asdict(widths))})
    return path
