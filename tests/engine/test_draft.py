"""Pictures that follow a slider: coarser tables, nearly the same signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Bias, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.steps import Simulate, Visibility, run_step

DETECTOR = Detector(
    distance_mm=8.0,
    inner_radius_mm=2.0,
    outer_radius_mm=8.0,
    quadrants=tuple(Segment(name, 90.0 * k, 86.0, 1.0, 0.0) for k, name in enumerate("ENWS")),
    beam=Beam(15.0, 0.0),
)
ROW, COLUMN = np.mgrid[0:48, 0:48]
HEIGHT = 40.0 * np.sin(COLUMN / 5.0) * np.cos(ROW / 7.0)


@pytest.mark.parametrize(
    ("bias", "emission"), [(0.0, "lambert"), (0.0, "tabulated"), (-3000.0, "lambert"), (-3000.0, "tabulated")]
)
def test_a_draft_is_within_three_percent(bias: float, emission: str) -> None:
    detector = replace(DETECTOR, bias=Bias(bias, 0.0), tilt_deg=(4.0, -3.0))
    params = Simulate(detector, 10.0, azimuths=32, emission=Emission(emission))
    draft, full = (
        run_step("simulate", {"height": HEIGHT}, replace(params, draft=chosen), SilentContext()).arrays["segments"]
        for chosen in (True, False)
    )
    assert np.abs(draft - full).max() < 0.03 * full.mean()
    assert full.std() > 0.1 * full.mean()


def test_a_draft_of_the_sky_is_within_one_percent() -> None:
    params = Visibility(replace(DETECTOR, bias=Bias(-3000.0, 0.0)), 10.0, 20, 30)
    draft, full = (
        run_step("visibility", {"height": HEIGHT}, replace(params, draft=chosen), SilentContext()).info["segments"]
        for chosen in (True, False)
    )
    for one, other in zip(draft, full, strict=True):
        assert one["visible_sr"] == pytest.approx(other["visible_sr"], rel=0.01)
