"""The step "train-finetune": trains a Finetune on images of a known surface, and writes it."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, ClosedLoop, StepResult, TrainFinetune
from eclips_app.engine import linear
from eclips_app.engine.device import one_thread
from eclips_app.engine.learned.finetune import Finetune, correction_for, train
from eclips_app.engine.learned.finetune_file import Tuned, write_finetune
from eclips_app.engine.learned.renderers import Exact, rendered
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.measured import Measured
from eclips_app.engine.training.weights import check_output

_RENDERED = 0.2  #: of the progress


def train_step(inputs: Arrays, params: TrainFinetune, context: Context) -> StepResult:
    """Train; see `core.steps.TrainFinetune`.

    Raises
    ------
    EclipsError
        The height is missing, has gaps or another size; the output cannot be written; errors as of `ClosedLoop`.
    """
    output = check_output(params.output)
    with one_thread(), watched(context.check):
        context.progress(0.0, "rendering the known surface")
        field = field_of(inputs, params, context)
        images, slopes = rendered(field, _height(inputs, field), params.subpixels)
        torch.manual_seed(params.seed)
        correction = correction_for(
            Finetune(params.limit), params.detector, Exact(field.model(params.subpixels)), images
        )
        scores = train(correction, images, slopes, field, params.updates, params.seed, partial(_report, context))
        write_finetune(output, Tuned(correction.network, params.detector, params.emission, scores))
        factor = correction.factors(images, slopes).cpu().numpy()
    context.progress(1.0, "done")
    return StepResult({"factor": factor}, {**scores.facts(), "output": str(output)})


def _report(context: Context, part: float) -> None:
    context.progress(_RENDERED + (1.0 - _RENDERED) * part, "training the correction")


def field_of(inputs: Arrays, params: ClosedLoop, context: Context) -> Field:
    """Prepare the images."""
    return Measured(inputs, params, linear.reconstruct_step(inputs, params, context)).whole()


def _height(inputs: Arrays, field: Field) -> Tensor:
    if "height" not in inputs:
        raise EclipsError("no known surface was given", hint="Give its heights in nm as 'height' [row, col].")
    height = inputs["height"]
    if height.shape != field.shape:
        raise EclipsError(
            f"the known surface has {height.shape} pixels, the images {field.shape}",
            hint="Give it on the images' pixels.",
        )
    if not np.isfinite(height).all():
        raise EclipsError("the known surface has gaps", hint="Fill them, or crop the images to a part without.")
    return torch.from_numpy(np.array(height, np.float32)).to(field.data.signal.device)
