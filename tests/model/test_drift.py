"""The drift within a scan goes with the set: through reordering, cropping, saving and the record of a run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclips_app.commands import edits
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Reconstruct, StepResult
from eclips_app.model.items import SegmentImage, SegmentSet
from eclips_app.model.project import Project
from eclips_app.model.runs import as_it_was, make_run, step_inputs
from eclips_app.model.snapshot import from_state, state_of


def drifting_set() -> SegmentSet:
    images = tuple(SegmentImage(name, np.full((6, 5), i, np.uint16)) for i, name in enumerate("ABC"))
    drift = np.arange(3 * 6 * 2, dtype=float).reshape(3, 6, 2)
    return SegmentSet("s", "scan", images, 2.0, crop=(0, 0, 6, 5), shifts_px=((0.0, 0.0),) * 3, drift_px=drift)


def test_it_is_an_input_of_the_reconstruction() -> None:
    np.testing.assert_array_equal(step_inputs(drifting_set())["drift_px"], drifting_set().drift_px)


def test_it_follows_its_image_and_goes_with_the_crop() -> None:
    project, segment_set = Project(), drifting_set()
    project.apply({"s": segment_set})
    project.apply(edits.order_segments(segment_set, (2, 0, 1)).changes)
    moved = project.get(SegmentSet, "s")
    assert moved is not None
    np.testing.assert_array_equal(moved.drift_px[0], segment_set.drift_px[2])
    project.apply(edits.crop_images(project, moved, (1, 0, 5, 5)).changes)
    cropped = project.get(SegmentSet, "s")
    assert cropped is not None
    assert cropped.drift_px is None


def test_it_is_saved_and_read() -> None:
    state, arrays = state_of([drifting_set()])
    (read,) = from_state(state, arrays).items
    assert isinstance(read, SegmentSet)
    np.testing.assert_array_equal(read.drift_px, drifting_set().drift_px)


def test_a_run_knows_the_drift_that_it_was_made_with() -> None:
    segment_set = drifting_set()
    run = make_run(segment_set, "reconstruct-linear", Reconstruct(), StepResult(), 0.1, "Run 1")
    assert as_it_was(run, segment_set).images == segment_set.images
    with pytest.raises(EclipsError, match="registered anew"):
        as_it_was(run, replace(segment_set, drift_px=None))
