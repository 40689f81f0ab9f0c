"""Arrays and facts of a closed-loop reconstruction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.steps import StepResult, automatic
from eclips_app.engine.refine.judgement import flags, regional
from eclips_app.engine.refine.measured import Measured
from eclips_app.engine.refine.solver import GaussNewton
from eclips_app.engine.refine.spread import Spread
from eclips_app.engine.refine.window import Window

Float = NDArray[np.float32]

_OF_THE_START = (
    "chi2_median",
    "slope_std",
    "integrator",
    "integration",
    "integration_iterations",
    "integration_residual",
)
#: Heights that the data determine per pixel, where that was not found out.
_USUAL_FITTED = 0.5


@dataclass(frozen=True)
class Course:
    """How a fit went, as it is told; see `step_result`."""

    smoothing: float
    cost: list[float]
    inner_steps: list[int]
    chi2: float
    chi2_steps: list[float]
    stopping: str
    tiles: int = 1


def course_of(solver: GaussNewton, chi2_steps: list[float], *, stopped: bool) -> Course:
    """Tell how one solver went."""
    progress = solver.progress
    return Course(
        solver.prior.weight, progress.cost, progress.inner, solver.chi2, list(chi2_steps), _stopping(solver, stopped)
    )


def step_result(
    measured: Measured, found: Window, spread: Spread | None, course: Course, *, usual_fitted: float = _USUAL_FITTED
) -> StepResult:
    """Put a solution together; without a spread it was stopped before its end.

    `usual_fitted` is how many heights the data determine per pixel where no spread tells.
    """
    mask = measured.mask
    tested = np.isfinite(measured.start.arrays["chi2"]) & mask
    segments, own = measured.signals.count, measured.params.brightness == "pixel"
    fitted = spread.fitted_per_pixel if spread else usual_fitted
    regions = regional(found.left / max(segments - own - fitted, 0.1), tested)
    grey = np.asarray(measured.signals.gains, np.float32)[:, None, None]
    arrays = {
        "height": found.height - found.height[mask].mean(),
        "height_std": _std(measured, spread),
        "normals": found.normals,
        "rho": np.where(mask, found.factor / np.median(found.factor[mask]), np.float32(np.nan)),
        "residual": np.where(measured.usable, found.residual * grey, np.float32(np.nan)),
        "chi2": regions,
        "chi2_known": regional(found.left_known / segments, tested),
        "flags": flags(mask, measured.clipped(), spread.shadowed if spread else np.zeros_like(mask), regions),
        "mask": mask,
        **({"deviations": spread.deviations.maps} if spread else {}),
    }
    return StepResult(arrays, _facts(measured, spread, course, arrays["residual"]))


def _std(measured: Measured, spread: Spread | None) -> Float:
    """Give the standard deviation in nm; that of the linear start where nothing better is known."""
    if spread is None:
        return np.asarray(measured.start.arrays["height_std"])
    return spread.deviations.std() * np.float32(measured.params.pixel_size_nm)


def _facts(measured: Measured, spread: Spread | None, course: Course, residual: Float) -> dict[str, Any]:
    params, emission, channels = measured.params, measured.params.emission, measured.channels
    kept = {name: value for name, value in measured.start.info.items() if name not in _OF_THE_START}
    return {
        **kept,
        "method": "closed-loop",
        "emission_model": emission.model if emission.model == "lambert" else f"{emission.model} {emission.material}",
        "grey_per_electron": measured.grey_per_electron,
        "azimuths": automatic(params).azimuths,
        "subpixels": params.subpixels,
        **asdict(course),
        "stopped": spread is None,
        "channels": dict(zip(channels.names, channels.values.tolist(), strict=True)),
        "fitted_heights_per_pixel": spread.fitted_per_pixel if spread else None,
        "deviation_parts": [list(each) for each in spread.deviations.parts] if spread else [],
        "not_stated": list(measured.stated.missing),
        "residual_rms_grey": float(np.sqrt(np.nanmean(residual.astype(np.float64) ** 2))),
        "height_std_holds": _holds(measured) if spread else measured.start.info["height_std_holds"],
    }


def _stopping(solver: GaussNewton, stopped: bool) -> str:
    steps = len(solver.progress.inner)
    if solver.progress.settled:
        return f"Step {steps} lowered the cost by less than {100 * solver.rules.fall:.2g} %."
    return f"Stopped by the user after {steps} steps." if stopped else f"The {steps} steps allowed were taken."


def _holds(measured: Measured) -> str:
    missing = measured.stated.missing
    nothing = f"; nothing is stated of {', '.join(missing)}" if missing else ""
    return (
        f"noise, what the prior leaves open, what chi-square says is left over, and what is stated of the rest{nothing}"
    )
