"""What is chosen for a fit goes into its parameters and inputs, and stands with the run so that it can be made again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclips_app.core import schema
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ClosedLoop, Reconstruct, StepResult
from eclips_app.core.tolerance import Tolerances
from eclips_app.model.items import Run, SegmentImage, SegmentSet
from eclips_app.model.runs import (
    FIT_FIELDS,
    Given,
    Options,
    check_size,
    crop_shape,
    given_again,
    given_by_runs,
    make_run,
    parameters,
)
from eclips_app.model.snapshot import from_state, state_of

FIT = ClosedLoop(
    quality="metrology", brightness="known", tolerances=Tolerances(distance_mm=0.05), grey_per_electron=2.5,
    read_noise_grey=1.0, azimuths=24, smoothing=3.0, coarse_to_fine=False, steps=5, least_fall=1e-3, tile_px=256,
    draws=4, seed=7,
)  # fmt: skip
DETECTOR = Detector(quadrants=tuple(Segment(name, 90.0 * k, 90.0, 1.0, 0.0) for k, name in enumerate("ENWS")))


def images(**fields: object) -> SegmentSet:
    made = SegmentSet("s", "scan", tuple(SegmentImage(name, np.full((6, 5), 9, np.uint16)) for name in "ENWS"), 2.0)
    return replace(made, **fields)


def finished(segment_set: SegmentSet, name: str = "Standard") -> Run:
    arrays = {"height": np.ones(crop_shape(segment_set), np.float32), "rho": np.ones(crop_shape(segment_set))}
    params = parameters(segment_set, DETECTOR, Options(method="closed-loop"))
    return make_run(segment_set, "reconstruct-closed-loop", params, StepResult(arrays), 1.0, name)


def test_every_field_of_a_fit_reaches_its_step() -> None:
    params = parameters(
        images(clip_high=60000.0, crop=(1, 0, 6, 5)),
        DETECTOR,
        Options("level", device="cpu", method="closed-loop", fit=FIT),
    )
    assert isinstance(params, ClosedLoop)
    assert {name: getattr(params, name) for name in FIT_FIELDS} == {name: getattr(FIT, name) for name in FIT_FIELDS}
    assert (params.detector, params.crop, params.clip_high) == (DETECTOR, (1, 0, 6, 5), 60000.0)
    assert (params.balance, params.device) == ("level", "cpu")
    schema.check(params)


def test_a_linear_run_takes_nothing_of_it() -> None:
    options = Options(fit=FIT, start_run_id="gone", rho_run_id="gone")
    assert type(parameters(images(), DETECTOR, options)) is Reconstruct
    assert given_by_runs(options, images(), lambda run_id: None) == {}


def test_start_and_known_brightness_come_from_earlier_runs() -> None:
    run = finished(images())
    options = Options(method="closed-loop", fit=FIT, start_run_id=run.id, rho_run_id=run.id)
    given = given_by_runs(options, images(), {run.id: run}.get)
    assert given["start"].array is run.arrays["height"]
    assert given["rho"].array is run.arrays["rho"]
    assert given["start"].source == f"Standard (run {run.id})"


@pytest.mark.parametrize(
    ("crop", "start", "said"),
    [
        ((0, 0, 0, 0), "other", "start from is not in the project"),
        ((1, 0, 6, 5), "", "another part of the image"),
        ((0, 0, 5, 5), "", "Standard has 5 × 6 px, but the images have 5 × 5 px"),
    ],
)
def test_a_run_that_does_not_fit_is_told(crop: tuple[int, int, int, int], start: str, said: str) -> None:
    run = finished(images())
    options = Options(method="closed-loop", start_run_id=start or run.id)
    with pytest.raises(EclipsError, match=said):
        given_by_runs(options, images(crop=crop), {run.id: run}.get)


def test_known_brightness_without_a_run_is_told() -> None:
    with pytest.raises(EclipsError, match="take the brightness from is not in the project"):
        given_by_runs(Options(method="closed-loop", fit=FIT), images(), lambda run_id: None)


def test_what_a_run_was_given_is_saved_with_it() -> None:
    start = np.arange(30, dtype=np.float32).reshape(6, 5)
    run = make_run(
        images(), "reconstruct-closed-loop", FIT, StepResult({"height": start}), 1.0, "B", {"start": Given(start, "A")}
    )
    assert run.info["given"] == {"start": "A"}
    (read,) = from_state(*state_of([run])).items
    assert isinstance(read, Run)
    assert given_again(read).keys() == {"start"}
    np.testing.assert_array_equal(given_again(read)["start"], start)
    assert given_again(finished(images())) == {}


def test_maps_have_the_size_of_the_crop() -> None:
    cropped = images(crop=(1, 1, 5, 4))
    assert crop_shape(cropped) == (4, 3)
    assert check_size(np.zeros((4, 3)), cropped, "map").shape == (4, 3)
    with pytest.raises(EclipsError, match="map has 5 × 6 px, but the images have 3 × 4 px"):
        check_size(np.zeros((6, 5)), cropped, "map")
