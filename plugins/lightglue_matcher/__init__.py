"""Matches maps with SuperPoint and LightGlue [DeTone et al., CVPRW (2018) 337; Lindenberger et al., ICCV (2023)].

Needs the package `transformers` (``pip install eclips[matcher]``) and a folder with a LightGlue model that was saved by it
(``config.json``, ``model.safetensors``). The folder is all that is read: nothing is fetched from a network, and weights come from
safetensors alone, which hold no code.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError

Floats = NDArray[np.float64]

_CELL = 8  #: SuperPoint looks at cells of this size


class LightGlueMatcher:
    """Point pairs of two maps by a learned matcher."""

    name = "SuperPoint and LightGlue"

    def match(
        self, first: NDArray[np.float32], second: NDArray[np.float32], folder: Path | None
    ) -> tuple[Floats, Floats, Floats]:
        """Match two grey pictures (see `plugin_api.protocols.MapMatcher`)."""
        import torch

        if folder is None:
            raise EclipsError(
                "the matcher needs a model", hint="Give the folder of a LightGlue model that transformers saved."
            )
        model = _model(folder.resolve())
        pixels, scale = _pixels(first, second)
        with torch.inference_mode():
            found = model(torch.from_numpy(pixels))
        points = found.keypoints[0].double().numpy() * scale
        # Of one pair the library gives [2, n] or [1, 2, n], as it stopped early or not.
        partner = found.matches.reshape(2, -1)[0].long().numpy()
        scores = found.matching_scores.reshape(2, -1)[0].double().numpy()
        paired = np.flatnonzero((partner >= 0) & found.mask[0, 0].bool().numpy())
        return points[0][paired], points[1][partner[paired]], scores[paired]


@functools.lru_cache(maxsize=1)
def _model(folder: Path) -> Any:
    """Load the model; raises `EclipsError` for what the user can mend."""
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise EclipsError(
            "the folder holds no model", where=str(folder), hint="It needs config.json and model.safetensors."
        )
    try:
        from transformers import LightGlueForKeypointMatching
    except ImportError as error:
        raise EclipsError(
            "the package transformers is not installed", hint="Install it: pip install 'transformers>=5.24,<6'."
        ) from error
    try:
        model = LightGlueForKeypointMatching.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
    except Exception as error:  # the library raises anything at all for a damaged folder
        raise EclipsError(f"the model cannot be loaded: {str(error).splitlines()[0]}", where=str(folder)) from error
    return model.eval()


def _pixels(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray[np.float32], Floats]:
    """Give both pictures as [1, 2, 3, row, col] of one size, and what turns relative points into pixels (col, row)."""
    rows, columns = (-(-max(a, b) // _CELL) * _CELL for a, b in zip(first.shape, second.shape, strict=True))
    pixels = np.zeros((1, 2, 3, rows, columns), np.float32)
    for number, picture in enumerate((first, second)):
        pixels[0, number, :, : picture.shape[0], : picture.shape[1]] = picture
    return pixels, np.array([columns, rows], np.float64)
