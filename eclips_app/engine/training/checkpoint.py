"""Checkpoints of a training: what it needs to go on after a kill."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from eclips_app.core.errors import EclipsError
from eclips_app.engine.training.weights import write_whole


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors, numbers and texts; a kill in between leaves the checkpoint before."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is executed.

    Raises
    ------
    EclipsError
        It cannot be read.
    """
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise EclipsError(
            "this checkpoint cannot be read", where=str(path), hint="Delete it, or train without --resume."
        ) from error
    return found
