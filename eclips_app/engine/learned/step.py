"""The step: a U-Net's normals, refined by the loop or not, integrated, and judged as every other reconstruction is."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from eclips_app.core.context import Context, Part, SilentContext
from eclips_app.core.steps import Arrays, Learned, StepResult
from eclips_app.engine import linear
from eclips_app.engine.device import one_thread
from eclips_app.engine.integrators import Integration
from eclips_app.engine.learned.judged import judged
from eclips_app.engine.learned.loop import refine
from eclips_app.engine.learned.network import NormalsNet
from eclips_app.engine.learned.predict import estimated, heights, limited, shown
from eclips_app.engine.learned.weights import read_unet
from eclips_app.engine.linear import STEEPEST_DEG
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.measured import Measured
from eclips_app.engine.refine.result import Course, step_result
from eclips_app.engine.uncertainty import height_std

_LOOP_START, _LOOP_END = 0.1, 0.9  #: of the progress
_HOLDS = (
    "the errors that the network foretells for its normals, taken as white and even over the field; nothing of what training and "
    "specimen do not have in common"
)
#: Standard deviation of a slope for the mean angle between normals (Rayleigh's distribution).
_SIGMA_PER_MEAN = float(np.sqrt(2.0 / np.pi))


def reconstruct_step(inputs: Arrays, params: Learned, context: Context) -> StepResult:
    """Reconstruct the height from segment images; see `core.steps.Learned` for inputs and results.

    Raises
    ------
    EclipsError
        If the images do not fit the detector or the parameters, no pixel can be solved, or weights cannot be read.
    """
    with one_thread():
        with watched(context.check):
            context.progress(0.0, "linear solution")
            measured = Measured(
                inputs, params, linear.reconstruct_step(inputs, params, Part(context, 0.0, _LOOP_START))
            )
            field = measured.whole()
            context.progress(_LOOP_START, "normals by the network")
            net = read_unet(Path(params.network) if params.network else None, measured.device)
            found = _found(net, measured, field, params, context)
        left = SilentContext() if found.facts["stopped"] else context  # what there is by then is kept
        with watched(left.check):
            left.progress(_LOOP_END, "integrating the slopes")
            height, how = heights(found.slopes, measured)
            left.progress(0.95, "residuals")
            return _result(measured, found, height, how)


@dataclass(frozen=True)
class _Found:
    """What the network says, alone or after the loop: tensors [.., row, col]."""

    slopes: Tensor
    log_rho: Tensor
    log_error: Tensor
    chi2: tuple[float, ...] = ()
    facts: dict[str, Any] = dataclass_field(
        default_factory=lambda: {"stopping": "The network was asked once.", "stopped": False}
    )


def _found(net: NormalsNet, measured: Measured, field: Field, params: Learned, context: Context) -> _Found:
    given = shown(measured, field)
    if params.rounds == 0:
        said = estimated(net, given)
        return _Found(limited(said.slopes[0], STEEPEST_DEG), said.log_rho[0], said.log_error[0])
    part = Part(context, _LOOP_START, _LOOP_END - _LOOP_START)
    loop = refine(net, given.planes(), field, given.brightness, params, part)
    facts = {
        "stopping": loop.stopping, "stopped": loop.stopped, "rounds_taken": loop.rounds, "finetuned": loop.finetune,
    }  # fmt: skip
    return _Found(limited(loop.slopes, STEEPEST_DEG), loop.log_rho, loop.log_error, tuple(loop.chi2), facts)


def _result(measured: Measured, found: _Found, height: Tensor, how: Integration) -> StepResult:
    params = measured.params
    window, chi2 = judged(measured, height, found.slopes)
    course = Course(0.0, [], [], chi2, list(found.chi2) or [chi2], "")
    made = step_result(measured, window, None, course, usual_fitted=0.0)  # it was not fitted to these images
    error = np.rad2deg(found.log_error.exp().cpu().numpy())
    slope_std = _SIGMA_PER_MEAN * float(np.deg2rad(np.sqrt(np.mean(error[measured.mask].astype(np.float64) ** 2))))
    rho = found.log_rho.exp().cpu().numpy()
    std = height_std(measured.shape, slope_std, error_share=how.error_share)
    arrays = {
        **made.arrays, "height_std": std * np.float32(params.pixel_size_nm),
        "rho": np.where(measured.mask, rho / np.median(rho[measured.mask]), np.float32(np.nan)),
        "normal_error": np.where(measured.mask, error, np.float32(np.nan)).astype(np.float32),
    }  # fmt: skip
    facts = {
        "method": "learned", "integrator": params.integrator, "integration": how.method, "slope_std": slope_std,
        "height_std_holds": _HOLDS,
    }  # fmt: skip
    return StepResult(arrays, made.info | facts | found.facts)
