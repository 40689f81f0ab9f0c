"""A reconstruction as a document item: which inputs went in, and how to give the same ones to the step again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission, calibrated_emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import STEPS, ClosedLoop, Learned, Reconstruct, StepResult
from eclips_app.model.items import Run, SegmentImage, SegmentSet, new_id
from eclips_app.version import VERSION

#: Arrays of a run that hold what its fit was given beside the images begin with this, so that it can be made again.
_GIVEN = "given_"


@dataclass(frozen=True)
class Options:
    """What is chosen for a reconstruction beside the images and the detector."""

    balance: str = "auto"  #: "auto": level for a detector that nobody has measured, else as in the detector file
    scan_parallax: bool = True
    device: str = "auto"
    method: str = "linear"  #: "linear", "closed-loop" or "learned"
    #: What the other methods add to the linear reconstruction. What all share comes from the images, the detector and above.
    fit: ClosedLoop = field(default_factory=Learned)
    start_run_id: str = ""  #: run whose heights closed-loop starts from; empty: the linear reconstruction
    rho_run_id: str = ""  #: run whose material factor is taken for the brightness "known"
    as_calibrated: bool = (
        False  #: the emission that the detector was calibrated with goes before that of `fit`, if there is one
    )
    integrator: str = "least-squares"  #: how slopes become heights, of which closed-loop starts

    @property
    def step(self) -> str:
        """The step that reconstructs."""
        return f"reconstruct-{self.method}"

    def balance_for(self, detector: Detector) -> str:
        """Give where the gains come from, "file" or "level"."""
        return self.balance if self.balance != "auto" else "level" if detector.is_typical else "file"

    def emission_for(self, detector: Detector) -> Emission:
        """Give how electrons leave the surface; raises `EclipsError` if the detector's calibration is unsound."""
        return (calibrated_emission(detector) if self.as_calibrated else None) or self.fit.emission


#: Fields of `ClosedLoop` that the linear reconstruction does not have.
FIT_FIELDS = tuple(f.name for f in fields(ClosedLoop) if f.name not in {g.name for g in fields(Reconstruct)})
#: Fields of `Learned` that the closed loop does not have.
LEARNED_FIELDS = tuple(f.name for f in fields(Learned) if f.name not in {g.name for g in fields(ClosedLoop)})


@dataclass(frozen=True, eq=False)
class Given:
    """A map that a fit is given beside the images, of the crop's size, and in words where it comes from."""

    array: NDArray[Any]
    source: str


def parameters(segment_set: SegmentSet, detector: Detector, options: Options) -> Reconstruct:
    """Give the parameters of the options' step; the pixel size must be known."""
    assert segment_set.pixel_size_nm is not None
    common = Reconstruct(
        detector=detector,
        pixel_size_nm=segment_set.pixel_size_nm,
        crop=segment_set.crop,
        shifts_px=segment_set.shifts_px,
        clip_low=segment_set.clip_low,
        clip_high=segment_set.clip_high,
        balance=options.balance_for(detector),
        scan_parallax=options.scan_parallax,
        device=options.device,
        integrator=options.integrator,
    )
    if options.method == "linear":
        return common
    kind = STEPS[options.step].params
    shared = {f.name: getattr(common, f.name) for f in fields(common)}
    own = {f.name: getattr(options.fit, f.name) for f in fields(kind) if hasattr(options.fit, f.name)}
    made: Reconstruct = kind(**{**own, **shared, "emission": options.emission_for(detector)})
    return made


def given_by_runs(options: Options, segment_set: SegmentSet, run_of: Callable[[str], Run | None]) -> dict[str, Given]:
    """Give what a fit takes from earlier runs: ``start`` and ``rho``, those that are asked for.

    Parameters
    ----------
    run_of : callable
        Gives the run of an id, None if there is none.

    Raises
    ------
    EclipsError
        If such a run is not there any more, lacks the map, or shows another part of the image.
    """
    if options.method == "linear":
        return {}
    starts = options.method == "closed-loop" and options.start_run_id
    asked = [("start", "height", options.start_run_id)] if starts else []
    if options.fit.brightness == "known":
        asked.append(("rho", "rho", options.rho_run_id))
    given = {}
    for name, array, run_id in asked:
        run = run_of(run_id)
        if run is None or array not in run.arrays:
            word = "start from" if name == "start" else "take the brightness from"
            raise EclipsError(f"The run to {word} is not in the project", hint="Choose another one.")
        if run.origin_px != segment_set.crop[:2]:
            raise EclipsError(
                f"{run.name} shows another part of the image", hint="Crop as for it, or choose another run."
            )
        given[name] = Given(check_size(run.arrays[array], segment_set, run.name), f"{run.name} (run {run.id})")
    return given


def without_gaps(given: Mapping[str, Given]) -> dict[str, Given]:
    """Give the same with the neutral factor 1 where a run has found none; no data are there for it to matter."""
    return {
        name: replace(each, array=np.nan_to_num(each.array, nan=1.0)) if name == "rho" else each
        for name, each in given.items()
    }


def check_size(array: NDArray[Any], segment_set: SegmentSet, where: str) -> NDArray[Any]:
    """Give a map as it is if it has the size of the set's crop; raises `EclipsError`."""
    if array.shape != crop_shape(segment_set):
        rows, columns = crop_shape(segment_set)
        size = " × ".join(map(str, reversed(array.shape)))
        raise EclipsError(
            f"{where} has {size} px, but the images have {columns} × {rows} px", hint="Choose another map."
        )
    return array


def crop_shape(segment_set: SegmentSet) -> tuple[int, int]:
    """Give rows and columns of the height map of a set."""
    first_row, first_column, end_row, end_column = segment_set.crop
    return (end_row - first_row, end_column - first_column) if any(segment_set.crop) else segment_set.shape


def step_inputs(segment_set: SegmentSet) -> dict[str, NDArray[Any]]:
    """Give the input arrays of a reconstruction step: ``segments`` [k, row, col] and what there is of `extra_inputs`."""
    return {"segments": np.stack([image.data for image in segment_set.images]), **extra_inputs(segment_set)}


def extra_inputs(segment_set: SegmentSet) -> dict[str, NDArray[Any]]:
    """Give the inputs of a reconstruction beside the images: ``exclude`` and ``drift_px``, those that there are."""
    extra = {"exclude": segment_set.exclude, "drift_px": segment_set.drift_px}
    return {name: array for name, array in extra.items() if array is not None}


def outer_steps(info: Mapping[str, Any]) -> int:
    """Give how many outer steps a fit took, by what it reported."""
    return len(info.get("inner_steps", ()))


def rounds(info: Mapping[str, Any]) -> int:
    """Give how many rounds a self-supervised loop took, by what it reported."""
    return int(info.get("rounds_taken") or 0)


def has_values(run: Run, name: str) -> bool:
    """Whether a run has a map with a value anywhere; chi-square of three segments has none."""
    field = run.arrays.get(name)
    return field is not None and bool(np.isfinite(field[::16, ::16]).any() or np.isfinite(field).any())


def given_again(run: Run) -> dict[str, NDArray[Any]]:
    """Give the inputs beside the images and their `extra_inputs` that a run was made with."""
    return {name.removeprefix(_GIVEN): array for name, array in run.arrays.items() if name.startswith(_GIVEN)}


def make_run(
    segment_set: SegmentSet, step: str, params: Any, result: StepResult, duration_s: float, name: str,
    given: Mapping[str, Given] | None = None,
) -> Run:  # fmt: skip
    """Make the item of a finished reconstruction of `segment_set`; its arrays become read-only.

    What the fit was `given` is kept with it: it can be made again when the run that it came from is gone.
    """
    given = given or {}
    arrays = {**result.arrays, **{_GIVEN + key: each.array for key, each in given.items()}}
    for array in arrays.values():
        array.setflags(write=False)
    info = {
        "software": f"ECLIPS {VERSION}",
        **result.info,
        "inputs": inputs_record(segment_set),
        "exclude_sha256": exclude_hash(segment_set),
        "drift_sha256": drift_hash(segment_set),
        **({"given": {key: each.source for key, each in given.items()}} if given else {}),
    }
    return Run(
        id=new_id(),
        name=name,
        set_id=segment_set.id,
        step=step,
        step_version=STEPS[step].version,
        params=schema.dump(params),
        arrays=arrays,
        info=info,
        input_sha256=tuple(image.sha256 for image in segment_set.images),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        duration_s=duration_s,
    )


def inputs_record(segment_set: SegmentSet) -> list[dict[str, Any]]:
    """Say which images go into a run, in their order."""
    return [_record(image) for image in segment_set.images]


def exclude_hash(segment_set: SegmentSet) -> str:
    """Give the SHA-256 of the excluded areas, packed to bits; empty if there are none."""
    if segment_set.exclude is None:
        return ""
    return hashlib.sha256(np.packbits(segment_set.exclude).tobytes()).hexdigest()


def drift_hash(segment_set: SegmentSet) -> str:
    """Give the SHA-256 of the drift within the scan; empty if there is none."""
    if segment_set.drift_px is None:
        return ""
    return hashlib.sha256(np.ascontiguousarray(segment_set.drift_px, dtype="<f8").tobytes()).hexdigest()


def as_it_was(run: Run, segment_set: SegmentSet) -> SegmentSet:
    """Give the set with its images in the order that they had when the run was made.

    Raises
    ------
    EclipsError
        If an image is not there any more, or the excluded areas are no longer the same.
    """
    records = run.info.get("inputs", inputs_record(segment_set))
    known = {tuple(sorted(_record(image).items())): image for image in segment_set.images}
    images = [known.get(tuple(sorted(record.items()))) for record in records]
    found = tuple(image for image in images if image is not None)
    if len(found) < len(images):
        raise EclipsError("the images are not those that the run was made of", where=run.name)
    if run.info.get("exclude_sha256", exclude_hash(segment_set)) != exclude_hash(segment_set):
        raise EclipsError("the excluded areas were changed after the run was made", where=run.name)
    if run.info.get("drift_sha256", "") != drift_hash(segment_set):
        raise EclipsError("the segments were registered anew after the run was made", where=run.name)
    return replace(segment_set, images=found)


def _record(image: SegmentImage) -> dict[str, Any]:
    return {"name": image.name, "source": image.source, "page": image.page, "sha256": image.sha256}
