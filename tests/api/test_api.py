"""Python calls give what the command line prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from eclips_app import api
from eclips_app.core.errors import EclipsError


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """A height file with a step of 25 nm, pixels of 2 nm."""
    height = np.where(np.arange(80) < 40, 0.0, 25.0)[None, :].repeat(50, axis=0) + np.random.default_rng(1).normal(
        0, 0.1, (50, 80)
    )
    path = tmp_path / "steps.tif"
    tifffile.imwrite(path, height.astype(np.float32), description=json.dumps({"unit": "nm", "pixel_size_nm": 2.0}))
    return path


ON, STRETCHES = ["line:5,25:75,25:width=9"], ["0nm:60nm", "80nm:140nm"]


def test_a_command_gives_the_numbers_of_the_command_line(steps: Path) -> None:
    mine = api.measure(steps, kind="step", on=ON, stretch=STRETCHES)
    words = [
        word for option, values in (("--on", ON), ("--stretch", STRETCHES)) for v in values for word in (option, v)
    ]
    argv = [sys.executable, "-m", "eclips_app", "measure", str(steps), "--kind", "step", *words, "--json"]
    told: dict[str, Any] = json.loads(
        subprocess.run(argv, capture_output=True, text=True, check=True, timeout=100).stdout
    )
    assert json.loads(json.dumps(mine["measurements"][0]["values"])) == told["measurements"][0]["values"]
    assert mine["measurements"][0]["values"]["height"]["value"] == pytest.approx(25.0, abs=0.1)


def test_heights_come_as_arrays_in_nm(steps: Path) -> None:
    opened = api.heights(steps)
    assert opened.arrays["height"].shape == (50, 80)
    assert opened.pixel_size_nm == (2.0, 2.0)


def test_python_names_stand_for_options(tmp_path: Path) -> None:
    surface = tmp_path / "s.tif"
    api.surface("rough", output=surface, size="64x48", pixel_size="2nm", seed=3)
    assert api.heights(surface).arrays["height"].shape == (48, 64)


def test_what_is_wrong_is_raised_in_a_sentence(steps: Path) -> None:
    with pytest.raises(EclipsError, match="'kinds' is no option"):
        api.measure(steps, kinds="step")
    with pytest.raises(EclipsError, match="invalid choice: 'stp'"):
        api.measure(steps, kind="stp")
    with pytest.raises(EclipsError, match="there is no command 'melt'"):
        api.run("melt")
    with pytest.raises(AttributeError, match="no attribute 'melt'"):
        _ = api.melt


def test_every_command_is_offered() -> None:
    assert {"measure", "check_calibration", "report", "heights"} <= set(dir(api))
