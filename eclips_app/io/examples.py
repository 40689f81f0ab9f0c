"""Makes the built-in examples: a known surface, its noisy segment images and their reconstruction."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, Example, Reconstruct, Simulate, Specimen, StepResult, run_step
from eclips_app.model.examples import EXAMPLES, ExampleInfo
from eclips_app.model.items import Acquisition, DetectorItem, HeightMap, ProfileLine, Run, SegmentImage, SegmentSet
from eclips_app.model.project import Project
from eclips_app.model.runs import make_run
from eclips_app.model.snapshot import to_state

_DATE = "2026-01-15T10:00:00"  #: written into the metadata; fixed, so that an example is the same every time


def example_step(inputs: Arrays, params: Example, context: Context) -> StepResult:
    """Render and reconstruct an example; gives the project's arrays by key and ``info["state"]``.

    Raises
    ------
    EclipsError
        If there is no example of this name.
    """
    info = EXAMPLES.get(params.name)
    if info is None:
        raise EclipsError(f"there is no example '{params.name}'", hint=f"Choose one of {', '.join(EXAMPLES)}.")
    context.progress(0.05, "making the surface")
    height = _surface(info, context)
    context.progress(0.2, "rendering the images")
    segments = _images(info, height, context)
    segment_set = _segment_set(info, segments)
    context.progress(0.7, "reconstructing")
    project = Project()
    truth = _truth(info, height)
    items = (
        segment_set,
        DetectorItem("example-detector", info.detector),
        _run(info, segment_set, segments, context),
        truth,
        _line(info),
    )
    project.apply({item.id: item for item in items})
    project.select(line_id="example-line")
    state, arrays = to_state(project)
    context.progress(1.0, "ready")
    return StepResult(arrays, {"state": state})


def _surface(info: ExampleInfo, context: Context) -> NDArray[Any]:
    params = Specimen(info.specimen, info.rows, info.columns, info.pixel_size_nm, info.seed)
    return run_step("specimen", {}, params, context).arrays["height"]


def _images(info: ExampleInfo, height: NDArray[Any], context: Context) -> NDArray[Any]:
    params = Simulate(
        info.detector,
        info.pixel_size_nm,
        info.dose,
        info.grey_per_electron,
        read_noise_electrons=5.0,
        azimuths=32,
        seed=info.seed,
        scan_parallax=True,
    )
    return run_step("simulate", {"height": height}, params, context).arrays["segments"]


def _segment_set(info: ExampleInfo, segments: NDArray[Any]) -> SegmentSet:
    assert info.detector.beam is not None
    images = []
    for k, segment in enumerate(info.detector.quadrants):
        facts = Acquisition(
            instrument="Virtual microscope", detector=info.detector.name, segment=segment.name, pixel_size_nm=info.pixel_size_nm,
            energy_kev=info.detector.beam.energy_kev, working_distance_mm=info.working_distance_mm, scan_rotation_deg=0.0,
            dwell_us=20.0, date=_DATE,
        )  # fmt: skip
        sha256 = hashlib.sha256(segments[k].tobytes()).hexdigest()
        images.append(SegmentImage(segment.name, segments[k], facts, "simulated", k, sha256))
    rows, columns = segments.shape[1:]
    return SegmentSet(
        "example-set",
        info.title,
        tuple(images),
        info.pixel_size_nm,
        "metadata",
        (0, 0, rows, columns),
        clip_high=65535.0,
    )


def _run(info: ExampleInfo, segment_set: SegmentSet, segments: NDArray[Any], context: Context) -> Run:
    params = Reconstruct(info.detector, info.pixel_size_nm, segment_set.crop, clip_high=segment_set.clip_high)
    start = time.perf_counter()
    result = run_step("reconstruct-linear", {"segments": segments}, params, context)
    return make_run(segment_set, "reconstruct-linear", params, result, time.perf_counter() - start, "Live")


def _truth(info: ExampleInfo, height: NDArray[Any]) -> HeightMap:
    rows, columns = height.shape
    size = info.pixel_size_nm
    centre = ((columns - 1) / 2, (rows - 1) / 2)
    heights = np.asarray(height - height.mean(), dtype=np.float32)  # as a reconstruction: zero on average
    return HeightMap("example-truth", "True surface", heights, (size, size), "simulated", center_px=centre)


def _line(info: ExampleInfo) -> ProfileLine:
    middle = info.rows / 2
    return ProfileLine("example-line", "Profile 1", (info.columns * 0.08, middle), (info.columns * 0.92, middle), 9.0)
