"""What it takes to check a finished run: its maps, the images as it saw them, and its cycle."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import STEPS, Cycle, Reconstruct
from eclips_app.metrology.evidence import Maps
from eclips_app.model.items import Run, SegmentSet
from eclips_app.model.levelling import is_levelled
from eclips_app.model.runs import as_it_was, given_again, step_inputs

#: Arrays of a run that `maps_of` reads.
MAP_NAMES = ("height", "mask", "residual", "chi2", "chi2_known", "rho", "flags")
_SAMPLE = 1 << 18  #: pixels that are enough for a median
#: Steps that judge their heights by the exact forward model.
EXACT = ("reconstruct-closed-loop", "reconstruct-learned")
_METHODS = {step: step.removeprefix("reconstruct-") for step in ("reconstruct-linear", *EXACT)}


@dataclass(frozen=True)
class Signal:
    """How grey values become signals: ``signal_k = (grey - offset_k) / gain_k``, with a variance of `noise` x signal."""

    gains: NDArray[np.float64]
    offsets: NDArray[np.float64]
    noise: float  #: grey values per electron
    read_noise_grey: float = 0.0

    def noise_grey(self, k: int, grey: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the standard deviation in grey values of a segment's grey values."""
        signal = np.maximum((grey - self.offsets[k]) / self.gains[k], 0.0)
        return np.asarray(np.sqrt(self.gains[k] ** 2 * self.noise * signal + self.read_noise_grey**2))


def maps_of(step: str, params: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Maps:
    """Give the maps of a run by its step, its parameters as stored and its arrays.

    Raises
    ------
    EclipsError
        If the run holds no height.
    """
    if "height" not in arrays:
        raise EclipsError("the run holds no height", hint="Reconstruct it again.")
    names = tuple(segment["name"] for segment in params["detector"]["quadrants"])
    chosen = {name: arrays.get(name) for name in MAP_NAMES if name != "height"}
    return Maps(
        arrays["height"], float(params["pixel_size_nm"]), **chosen, is_exact=step in EXACT,
        free_brightness=params.get("brightness", "pixel") == "pixel",
        origin_px=(int(params["crop"][0]), int(params["crop"][1])), names=names,
    )  # fmt: skip


def signal_of(run: Run) -> Signal | None:
    """Give gains, offsets and noise that a run used; None if it does not tell them."""
    gains, offsets, noise = (run.info.get(name) for name in ("gains", "offsets", "grey_per_electron"))
    if gains is None or offsets is None or not noise:
        return None
    read = float(run.params.get("read_noise_grey") or 0.0)
    return Signal(np.asarray(gains, float), np.asarray(offsets, float), float(noise), read)


def measured(run: Run, segment_set: SegmentSet) -> NDArray[np.float32]:
    """Give the images as the run saw them, on its crop and moved by its shifts: grey values [k, row, col], NaN where not used.

    Raises
    ------
    EclipsError
        If the images are not those that the run was made of.
    """
    from eclips_app.engine.prepare import Signals  # late: not needed to open a project

    signals = Signals(step_inputs(as_it_was(run, segment_set)), _params(run))
    grey, usable = signals.rows(0, signals.shape[0])
    for k, plane in enumerate(grey):
        plane *= np.float32(signals.gains[k])
        plane += np.float32(signals.offsets[k])
    grey[~usable] = np.nan
    return grey


def cycle_request(
    run: Run, segment_set: SegmentSet, *, noise: bool = False
) -> tuple[Cycle, dict[str, NDArray[np.generic]]]:
    """Give parameters and inputs of the step ``cycle`` for a run; `noise` adds the images' own noise to the rendered ones.

    Raises
    ------
    EclipsError
        If the run does not tell its noise, or its images are not there any more.
    """
    if run.step not in _METHODS or not {"height", "rho", "mask"} <= set(run.arrays):
        raise EclipsError("this run holds nothing that could be rendered and reconstructed again", where=run.name)
    if is_levelled(run):
        raise EclipsError("levelled heights are not those of the images", where=run.name, hint="Take the run itself.")
    known, signal = _params(run), signal_of(run)
    if signal is None:
        raise EclipsError(
            "the run does not tell gains and noise of its images", where=run.name, hint="Reconstruct it again."
        )
    same = {f.name: getattr(known, f.name) for f in fields(known)}
    rows, columns = segment_set.shape
    same["axis_px"] = known.axis_px or ((rows - 1) / 2, (columns - 1) / 2)
    if run.step in EXACT and same["grey_per_electron"] is None:
        same["grey_per_electron"] = signal.noise  # images without noise tell none
    params = Cycle(**same, method=_METHODS[run.step], dose_grey=signal.noise if noise else None)
    grey = measured(run, segment_set)
    step = max(1, round((grey[0].size / _SAMPLE) ** 0.5))
    flat = np.nanmedian((grey[:, ::step, ::step] - signal.offsets[:, None, None]) / signal.gains[:, None, None])
    inputs = {"height": run.arrays["height"], "mask": run.arrays["mask"]}
    inputs["rho"] = run.arrays["rho"] * np.float32(flat)
    return params, inputs | {name: array for name, array in given_again(run).items() if name == "materials"}


def _params(run: Run) -> Reconstruct:
    params: Reconstruct = schema.load(STEPS[run.step].params, run.params, run.name)
    return params
