"""Segment images of a known surface: rendering, probe, pixels, electrons and grey values (the signal model of the contract)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.detector import Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Simulate, StepResult
from eclips_app.engine.device import one_thread
from eclips_app.engine.emission.tables import read_table
from eclips_app.engine.forward.model import (
    DRAFT,
    FULL,
    ForwardModel,
    Parallax,
    density,
    emitted_spectrum,
    forward_model,
)
from eclips_app.engine.optics.flight import landing_energy_kev
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.raytrace.disc import from_density
from eclips_app.engine.raytrace.image import trace_image
from eclips_app.engine.surrogates.imitate import Subject, imitate

Report = Callable[[float], None]
#: Makes samples [k, row, col] of heights in nm; of a network also where it is out of its range, [row, col].
Make = Callable[[NDArray[np.float64], Report], tuple[torch.Tensor, NDArray[np.bool_] | None]]

_BAND_VALUES = 1 << 18  #: for which electrons are drawn between two checks for cancellation


def simulate_step(inputs: Mapping[str, NDArray[Any]], params: Simulate, context: Context) -> StepResult:
    """Render segment images.

    Parameters
    ----------
    inputs : mapping
        ``height`` [row, col] in nm and optional ``rho`` of the same shape, with `subpixels` samples along each pixel edge.
    params : Simulate
        Detector, pixel size, dose and noise.
    context : Context
        Progress and cancellation.

    Returns
    -------
    StepResult
        ``segments`` [k, row, col]: with a dose uint16 grey values, without one the noise-free signal as float32, in units
        of the mean signal of a flat. Facts: `saturated`, part of the grey values; `exit_radius_nm`, median, with a table.
        Of a neural network also ``outside`` [row, col], the pixels unlike all that it has learnt from, and `outside_share`.

    Raises
    ------
    EclipsError
        Heights that are not finite or do not fill whole pixels; a material factor that does not belong to them; a network of
        another detector.
    """
    with watched(context.check), one_thread() if params.draft else nullcontext():
        return _simulate(inputs, params, context)


def _simulate(inputs: Mapping[str, NDArray[Any]], params: Simulate, context: Context) -> StepResult:
    height = _checked(inputs["height"], params.subpixels)
    rho = _material(inputs["rho"], height.shape) if "rho" in inputs else None
    model = forward_model(
        params.detector, params.pixel_size_nm, emission=params.emission, azimuths=_azimuths(params),
        subpixels=params.subpixels, delocalised=params.delocalised,
        parallax=Parallax(params.field_center_mm, params.pivot_mm) if params.scan_parallax else None,
        fineness=DRAFT if params.draft else FULL,
    )  # fmt: skip
    made = _MODELS[params.model](params, model)
    samples, outside = made(height, lambda part: context.progress(0.9 * part, "rendering"))
    arrays, facts = _outside(outside, params.subpixels), _exit_facts(params)
    if rho is not None:
        samples = samples * rho
    signal = (model.response(samples) / model.flat).numpy()
    if params.dose is None:
        grey = _grey(signal, params.detector.quadrants).astype(np.float32)
        return StepResult({"segments": grey, **arrays}, {**facts, **_share(arrays)})
    counted, saturated = _detect(signal, params, params.dose, context.check)
    context.progress(1.0, "rendered")
    return StepResult({"segments": counted, **arrays}, {"saturated": saturated, **facts, **_share(arrays)})


def _exit_facts(params: Simulate) -> dict[str, float]:
    """Tell the median distance from the probe at which the material's electrons leave, where a table is used."""
    if params.detector.beam is None or not (params.delocalised or params.emission.needs_table):
        return {}
    table = read_table(params.emission.material)
    return {"exit_radius_nm": table.exit_radius_nm(landing_energy_kev(params.detector))}


def _checked(height: NDArray[Any], subpixels: int) -> NDArray[np.float64]:
    if height.ndim != 2 or min(height.shape) < 2 * subpixels:
        raise EclipsError(
            f"a height map of shape {height.shape} cannot be rendered",
            hint="Give two rows and columns of pixels or more.",
        )
    if height.shape[0] % subpixels or height.shape[1] % subpixels:
        raise EclipsError(
            f"{height.shape} heights do not fill whole pixels of {subpixels} by {subpixels} samples",
            hint="Crop the map, or choose other samples per pixel edge.",
        )
    if not np.isfinite(height).all():
        raise EclipsError("the height map has gaps", hint="Fill them first: an unknown height casts an unknown shadow.")
    # What comes from another process is read-only, which Torch dislikes.
    return np.require(height, np.float64, ["C", "W"])


def _material(rho: NDArray[Any], shape: tuple[int, ...]) -> torch.Tensor:
    if rho.shape != shape:
        raise EclipsError(
            f"a material factor of shape {rho.shape} does not belong to heights of {shape}", where="rho",
            hint="Give one value for each height.",
        )  # fmt: skip
    if not (np.isfinite(rho).all() and (rho >= 0).all()):
        raise EclipsError("the material factor has gaps or values below zero", where="rho", hint="Fill them first.")
    return torch.from_numpy(np.require(rho, np.float64, ["C", "W"]))


def _exact(params: Simulate, model: ForwardModel) -> Make:
    return lambda height, report: (model.samples(height, report), None)


def _network(params: Simulate, model: ForwardModel) -> Make:
    """Give the samples that a neural network makes, and where it knows nothing of the kind."""
    single = model.to(torch.device("cpu"), torch.float32)  # as it was trained
    subject = _subject(params)

    def make(height: NDArray[np.float64], report: Report) -> tuple[torch.Tensor, NDArray[np.bool_] | None]:
        with torch.no_grad():
            made = imitate(subject, single, torch.from_numpy(height).float(), report)
        return made.samples.double(), made.outside

    return make


def _subject(params: Simulate) -> Subject:
    return Subject(params.model, params.weights, params.detector, params.emission)


def _azimuths(params: Simulate) -> int:
    return _subject(params).azimuths(params.azimuths) if params.model == "vft" else params.azimuths


def _outside(outside: NDArray[np.bool_] | None, subpixels: int) -> dict[str, NDArray[Any]]:
    """Give the pixels that have a sample out of a network's range."""
    if outside is None:
        return {}
    rows, columns = (size // subpixels for size in outside.shape)
    return {"outside": np.asarray(outside.reshape(rows, subpixels, columns, subpixels).any(axis=(1, 3)))}


def _share(arrays: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    return {"outside_share": float(arrays["outside"].mean())} if "outside" in arrays else {}


def _monte_carlo(params: Simulate, model: ForwardModel) -> Make:
    return lambda height, report: (_traced(params, model, height, report), None)


def _traced(params: Simulate, model: ForwardModel, height: NDArray[np.float64], report: Report) -> torch.Tensor:
    """Give the samples by following electrons one by one: the slow reference, which shares no code with the fast model."""
    shape = None if params.emission.model == "lambert" else from_density(density(params.detector, params.emission))
    signal, _ = trace_image(
        height, model.spacing_nm, params.detector, params.rays, params.seed, emission=shape,
        spectrum=emitted_spectrum(params.detector, params.emission),
        center_mm=params.field_center_mm if params.scan_parallax else None,
        pivot_mm=params.pivot_mm if params.scan_parallax else None, report=report,
    )  # fmt: skip
    return torch.from_numpy(signal)


_MODELS = {"bsesm": _exact, "mc": _monte_carlo, "vft": _network, "dsm": _network}


def _detect(
    signal: NDArray[np.float64], params: Simulate, dose: float, check: Callable[[], None]
) -> tuple[NDArray[np.uint16], float]:
    """Count electrons and add the noise of the read-out, in bands of rows; gives grey values and how many are saturated."""
    rng, top = np.random.default_rng(params.seed), float(np.iinfo(np.uint16).max)
    height = max(1, _BAND_VALUES // signal.shape[2])
    bands = [
        (slice(k, k + 1), slice(first, first + height))
        for k in range(len(signal))
        for first in range(0, signal.shape[1], height)
    ]
    electrons, found, saturated = np.empty_like(signal), np.empty(signal.shape, np.uint16), 0
    for band in bands:
        electrons[band] = rng.poisson(np.maximum(signal[band], 0.0) * dose)
        check()
    for band in bands:
        if params.read_noise_electrons > 0:
            electrons[band] += rng.normal(0.0, params.read_noise_electrons, electrons[band].shape)
        grey = _grey(electrons[band] * params.grey_per_electron, params.detector.quadrants[band[0]])
        saturated += int(np.count_nonzero(grey >= top))
        found[band] = np.clip(np.rint(grey), 0, top)
        check()
    return found, saturated / found.size


def _grey(signal: NDArray[np.float64], segments: tuple[Segment, ...]) -> NDArray[np.float64]:
    """Apply each segment's gain and offset."""
    gain = np.array([segment.gain for segment in segments])
    offset = np.array([segment.offset for segment in segments])
    return np.asarray(signal * gain[:, None, None] + offset[:, None, None])
