"""Gauss-Newton with a Finetune: signals divided by the correction at the surface found, a few times over."""

from __future__ import annotations

import numpy as np
import torch

from eclips_app.core.context import Context, SilentContext
from eclips_app.core.steps import Arrays, ClosedLoop, StepResult
from eclips_app.engine.device import one_thread
from eclips_app.engine.learned.finetune import Finetune, correction_for
from eclips_app.engine.learned.finetune_step import field_of
from eclips_app.engine.learned.renderers import Exact, rendered
from eclips_app.engine.prepare import resolve_crop
from eclips_app.engine.refine.step import reconstruct_step

ROUNDS = 3


def reconstruct_corrected(
    inputs: Arrays, params: ClosedLoop, network: Finetune, context: Context, rounds: int = ROUNDS
) -> StepResult:
    """Reconstruct as `refine.step` does, with images that a network corrects; chi-square is that of the corrected images."""
    window = resolve_crop(params.crop, inputs["segments"].shape)
    place = np.s_[:, window.first_row : window.end_row, window.first_column : window.end_column]
    offsets = np.array([s.offset for s in params.detector.quadrants], np.float32)[:, None, None]
    measured = np.asarray(inputs["segments"], np.float32)
    found = reconstruct_step(inputs, params, context)
    with one_thread():
        field = field_of(inputs, params, SilentContext())
        correction = correction_for(network, params.detector, Exact(field.model(params.subpixels)), field.data.signal)
    for _ in range(rounds):
        height = found.arrays["height"]
        with one_thread():
            images, slopes = rendered(field, torch.from_numpy(height).to(field.data.signal), params.subpixels)
            factors = correction.factors(images, slopes).detach().cpu().numpy()
        corrected = measured.copy()
        corrected[place] = (measured[place] - offsets) / factors + offsets
        found = reconstruct_step({**inputs, "segments": corrected, "start": height}, params, context)
    return found
