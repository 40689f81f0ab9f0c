"""A reconstruction as a document item: which inputs went in, and how to give the same ones to the step again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import STEPS, ClosedLoop, Reconstruct, StepResult
from eclips_app.model.items import Run, SegmentImage, SegmentSet, new_id
from eclips_app.version import VERSION


@dataclass(frozen=True)
class Options:
    """What is chosen for a reconstruction beside the images and the detector."""

    balance: str = "auto"  #: "auto": level for a detector that nobody has measured, else as in the detector file
    scan_parallax: bool = True
    device: str = "auto"
    method: str = "linear"  #: "linear" or "closed-loop"
    quality: str = "standard"  #: of closed-loop, as in `ClosedLoop`
    emission: Emission = field(default_factory=Emission)  #: of closed-loop

    @property
    def step(self) -> str:
        """The step that reconstructs."""
        return f"reconstruct-{self.method}"


def parameters(segment_set: SegmentSet, detector: Detector, options: Options) -> Reconstruct:
    """Give the parameters of the options' step; the pixel size must be known."""
    assert segment_set.pixel_size_nm is not None
    balance = options.balance if options.balance != "auto" else "level" if detector.is_typical else "file"
    common = Reconstruct(
        detector=detector,
        pixel_size_nm=segment_set.pixel_size_nm,
        crop=segment_set.crop,
        shifts_px=segment_set.shifts_px,
        clip_low=segment_set.clip_low,
        clip_high=segment_set.clip_high,
        balance=balance,
        scan_parallax=options.scan_parallax,
        device=options.device,
    )
    if options.method == "linear":
        return common
    shared = {f.name: getattr(common, f.name) for f in fields(common)}
    return ClosedLoop(**shared, quality=options.quality, emission=options.emission)


def step_inputs(segment_set: SegmentSet) -> dict[str, NDArray[Any]]:
    """Give the input arrays of a reconstruction step: ``segments`` [k, row, col] and what there is of `extra_inputs`."""
    return {"segments": np.stack([image.data for image in segment_set.images]), **extra_inputs(segment_set)}


def extra_inputs(segment_set: SegmentSet) -> dict[str, NDArray[Any]]:
    """Give the inputs of a reconstruction beside the images: ``exclude`` and ``drift_px``, those that there are."""
    extra = {"exclude": segment_set.exclude, "drift_px": segment_set.drift_px}
    return {name: array for name, array in extra.items() if array is not None}


def make_run(segment_set: SegmentSet, step: str, params: Any, result: StepResult, duration_s: float, name: str) -> Run:
    """Make the item of a finished reconstruction of `segment_set`; its arrays become read-only."""
    for array in result.arrays.values():
        array.setflags(write=False)
    info = {
        "software": f"ECLIPS {VERSION}",
        **result.info,
        "inputs": inputs_record(segment_set),
        "exclude_sha256": exclude_hash(segment_set),
        "drift_sha256": drift_hash(segment_set),
    }
    return Run(
        id=new_id(),
        name=name,
        set_id=segment_set.id,
        step=step,
        step_version=STEPS[step].version,
        params=schema.dump(params),
        arrays=result.arrays,
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
