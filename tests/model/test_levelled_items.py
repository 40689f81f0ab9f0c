"""Levelled runs and maps: what they keep, and what is theirs."""

from __future__ import annotations

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.levelling import Level, LevelStep, recipe_text
from eclips_app.core.steps import run_step
from eclips_app.metrology.deviations import Deviations
from eclips_app.metrology.profile import sample
from eclips_app.model import snapshot
from eclips_app.model.items import HeightMap, Run
from eclips_app.model.levelling import is_levelled, level_inputs, levelled_fields, levelled_run, raw_fields

ROWS, COLUMNS = np.mgrid[0:30, 0:50].astype(np.float32)
SIZE = 4.0


def make_run() -> Run:
    """A tilted surface whose height errs by a tilt (of the detector), and by a bump that no plane takes out."""
    height = (0.5 * COLUMNS + np.sin(COLUMNS / 3)).astype(np.float32)
    bump = 0.5 * (np.hypot(COLUMNS - 25, ROWS - 15) < 5)
    maps = np.stack([0.1 * (COLUMNS - 25), bump]).astype(np.float16)
    arrays = {"height": height, "deviations": maps, "mask": np.ones(height.shape, bool), "rho": np.ones_like(height)}
    info = {"software": "test", "deviation_parts": [["geometry", "tilt_x_deg"], ["noise", "draw 1"]]}
    params = {"pixel_size_nm": SIZE, "crop": [2, 3, 32, 53]}
    return Run(
        "r", "Standard", "s", "reconstruct-closed-loop", 2, params, arrays, info, ("a",), "2026-01-01T00:00:00Z", 1.0
    )


def level(run: Run, *steps: LevelStep) -> Run:
    params = Level(steps, (SIZE, SIZE))
    return levelled_run(run, params, run_step("level", level_inputs(run.arrays), params, SilentContext()))


def test_a_levelled_run_stands_beside_the_one_it_comes_from() -> None:
    run = make_run()
    before = {name: array.copy() for name, array in run.arrays.items()}
    made = level(run, LevelStep("plane"))
    assert (made.name, made.id != run.id, is_levelled(made), is_levelled(run)) == (
        "Standard, levelled",
        True,
        True,
        False,
    )
    assert made.info["levelled_from"] == {"id": "r", "name": "Standard"}
    assert made.info["levelling_took"][0].startswith("plane tilted by")
    assert (made.params, made.origin_px, made.arrays["rho"] is run.arrays["rho"]) == (run.params, (2, 3), True)
    for name, array in before.items():
        np.testing.assert_array_equal(run.arrays[name], array)
    again = level(made, LevelStep("rows"))
    assert recipe_text(again.info["levelling"]) == "Plane, then Line by line"
    assert again.name == made.name


def test_readings_of_a_levelled_run_have_the_standard_deviation_of_what_is_read() -> None:
    """A tilt that is not sure does not matter any more once the tilt is taken out."""
    run = make_run()
    made = level(run, LevelStep("plane"))

    def std_at_ends(which: Run) -> np.ndarray:
        found = Deviations.of_run(which.arrays, which.info, which.params)
        line = sample(which.arrays["height"], (5, 20), (48, 20), pixel_size_nm=SIZE, origin_px=(2, 3), deviations=found)
        assert line.std_nm is not None
        return line.std_nm

    assert std_at_ends(run)[-1] > 7
    assert std_at_ends(made)[-1] < 0.5
    middle = std_at_ends(made).max()
    assert middle == pytest.approx(0.5 * SIZE, rel=0.2)  # the bump is still as unsure as before


def test_levelled_runs_and_maps_are_saved_and_read() -> None:
    height = np.arange(20.0).reshape(4, 5)
    placed = HeightMap("m", "afm", height, (1.0, 2.0))
    params = Level((LevelStep("plane"),), placed.pixel_size_nm)
    result = run_step("level", {"height": placed.height}, params, SilentContext())
    flat = HeightMap("m", "afm", pixel_size_nm=(1.0, 2.0), **levelled_fields(placed, params, result))
    assert flat.raw is height
    np.testing.assert_allclose(flat.height, 0, atol=1e-12)
    read = snapshot.from_state(*snapshot.state_of([flat, level(make_run(), LevelStep("plane"))]))
    again, run = read.items
    assert isinstance(again, HeightMap)
    assert isinstance(run, Run)
    np.testing.assert_array_equal(again.raw, height)
    assert recipe_text(again.levelling) == "Plane"
    assert recipe_text(run.info["levelling"]) == "Plane"
    twice = {**levelled_fields(flat, params, result)}
    assert twice["raw"] is height
    assert len(twice["levelling"]) == 2
    assert raw_fields(flat) == {"height": height, "raw": None, "levelling": ()}
