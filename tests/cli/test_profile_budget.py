"""``eclips profile`` on a run with deviations: standard deviations from them, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclips_app.core.detector import Detector, Segment
from eclips_app.core.schema import dump
from eclips_app.core.steps import ClosedLoop
from eclips_app.core.tolerance import Tolerances
from eclips_app.io.project_file import write_project
from eclips_app.model import snapshot
from eclips_app.model.items import Run, SegmentImage, SegmentSet

SHAPE, SIZE_NM = (30, 50), 4.0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A ramp of 45 degrees whose distance is known to 3 % of the height, with noise that is the same at all pixels of a row."""
    height = np.broadcast_to(SIZE_NM * np.arange(SHAPE[1], dtype=np.float32), SHAPE).copy()
    noise = np.zeros((1, *SHAPE), np.float16)
    noise[0, :, 30:] = 0.25
    maps = np.concatenate([noise, 0.03 * height[None] / SIZE_NM]).astype(np.float16)
    segments = tuple(Segment(name, 90.0 * k, 86.0, 1.0, 0.0) for k, name in enumerate("ENWS"))
    params = dump(ClosedLoop(Detector(quadrants=segments), SIZE_NM, tolerances=Tolerances()))
    images = tuple(SegmentImage(name, np.ones(SHAPE, np.uint16)) for name in "ENWS")
    info = {
        "software": "test", "deviation_parts": [["noise", "draw 1"], ["geometry", "distance_mm"]],
        "not_stated": ["gains", "pixel size"],
    }  # fmt: skip
    run = Run("r", "Standard", "s", "reconstruct-closed-loop", 2, params, {"height": height, "deviations": maps}, info, (),
              "2026-01-01T00:00:00Z", 1.0)  # fmt: skip
    state, arrays = snapshot.state_of([SegmentSet("s", "Scan", images, SIZE_NM), run])
    path = tmp_path / "ramp.eclips"
    write_project(path, state, arrays)
    return path


def test_profile_tells_the_budget_of_each_reading(eclips: Callable[..., Any], project: Path) -> None:
    found = eclips("profile", project, "--from", "10,15", "--to", "40,15", "--width", "5", "--json").json
    noise, geometry = 0.25 * SIZE_NM, 0.03 * 30 * SIZE_NM
    assert found["height_difference"]["std"] == pytest.approx(np.hypot(noise, geometry), rel=1e-2)
    shares = {share["part"]: share["percent"] for share in found["height_difference"]["budget"]}
    assert shares == pytest.approx({"noise": 7.2, "geometry": 92.8}, abs=0.2)
    # A slope of 1 is wrong by 3 % of it, an angle by half of that in radians.
    slope = found["slope_angle"]
    (part,) = [share for share in slope["budget"] if share["part"] == "geometry"]
    assert part["std"] == pytest.approx(np.degrees(0.03 / 2), rel=1e-2)
    assert found["not_stated"] == ["gains", "pixel size"]
    assert found["std_nm"][0] == pytest.approx(0.03 * 10 * SIZE_NM, rel=1e-2)


def test_words_tell_the_budget_in_one_line(eclips: Callable[..., Any], project: Path) -> None:
    lines = eclips("profile", project, "--from", "10,15", "--to", "40,15").out.splitlines()
    (row,) = [i for i, line in enumerate(lines) if line.startswith("height difference")]
    assert "±" in lines[row]
    assert lines[row + 1].strip() == "noise 7 %, geometry 93 %"
    assert lines[-1].split(maxsplit=2) == ["not", "stated", "gains, pixel size"]
