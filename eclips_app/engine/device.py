"""Choice of the device that Torch computes on."""

from __future__ import annotations

import torch

from eclips_app.core.errors import EclipsError


def choose_device(wanted: str) -> torch.device:
    """Give the device for ``auto``, ``cpu`` or ``cuda``; `EclipsError` where CUDA is wanted and absent."""
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if wanted == "cuda":
        raise EclipsError("this computer offers no CUDA device", hint="Choose the device 'auto' or 'cpu'.")
    return torch.device("cpu")
