"""``eclips level``: steps in the order given, on files and on projects, written for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from eclips_app.core.context import SilentContext
from eclips_app.core.levelling import Level, LevelStep
from eclips_app.core.steps import ReadHeightMap, run_step
from eclips_app.io.project_file import read_project, write_project
from eclips_app.model import snapshot
from eclips_app.model.items import Run
from eclips_app.model.levelling import level_inputs, levelled_run

Eclips = Callable[..., Any]
ROWS, COLUMNS = np.mgrid[0:40, 0:60].astype(float)
BUMP = 20.0 * ((COLUMNS > 40) & (ROWS < 15))


@pytest.fixture
def tilted(tmp_path: Path) -> Path:
    path = tmp_path / "map.tif"
    height = (BUMP + 0.5 * COLUMNS - 0.2 * ROWS).astype(np.float32)
    tifffile.imwrite(path, height, description='{"unit": "nm", "pixel_size_nm": [2.0, 3.0]}', metadata=None)
    return path


def read(path: Path) -> tuple[np.ndarray, list[float]]:
    result = run_step("read-height-map", {}, ReadHeightMap(str(path)), SilentContext())
    return result.arrays["height"], result.info["pixel_size_nm"]


def test_steps_are_taken_in_their_order_and_areas_are_left_out(eclips: Eclips, tilted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gwy"
    told = eclips(
        "level", tilted, "--polynomial", "1,1,1", "--rows", "mean", "--exclude", "41,0,59,14", "-o", out, "--json"
    ).json
    assert [step["step"] for step in told["steps"]] == [
        "Polynomial (degree along x 1, degree along y 1, total degree 1, areas exclude)",
        "Line by line (offset of a line mean, areas exclude)",
    ]
    height, size = read(out)
    assert size == pytest.approx([2.0, 3.0])
    np.testing.assert_allclose(height - height[20, 0], BUMP, atol=1e-4)
    assert told["range_nm"] == pytest.approx([height.min(), height.max()], abs=1e-4)


def test_the_file_and_the_window_give_the_same_numbers(eclips: Eclips, tilted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.sdf"
    eclips("level", tilted, "--facet", "--scars", "2,8,5", "-o", out)
    steps = (LevelStep("facet"), LevelStep("scars", scar_width_px=2, scar_length_px=8, scar_threshold=5.0))
    height, size = read(tilted)
    expected = run_step("level", {"height": height}, Level(steps, (size[0], size[1])), SilentContext()).arrays["height"]
    np.testing.assert_allclose(read(out)[0], expected, atol=1e-6)


def test_points_options_and_words(eclips: Eclips, tilted: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    told = eclips(
        "level", tilted, "--three-points", "1,1", "30,2", "5,38", "--rows", "--heights", "0,80", "-o", out
    ).out
    lines = told.splitlines()
    tilt = np.degrees(np.arctan(np.hypot(0.5 / 2, 0.2 / 3)))
    assert lines[0] == f"Three points: plane tilted by {tilt:.4g}°"
    assert lines[1].startswith("Line by line (heights to 80)")
    assert lines[-1] == f"written: {out}"


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        ([], 1, "no step"),
        (["--rows", "sideways"], 2, "no way to level lines"),
        (["--polynomial", "2"], 2, "two or three whole numbers"),
        (["--scars", "1,2"], 2, "where 3 are needed"),
        (["--plane", "--exclude", "1,2,3"], 1, "where 4 are needed"),
        (["--plane", "--exclude", "1,2,3,4", "--include", "1,2,3,4"], 1, "given together"),
        (["--three-points", "1,1", "2,2", "3,3"], 1, "on one line"),
        (["--polynomial", "40,1"], 1, "out of range"),
    ],
)
def test_wrong_calls_are_told(
    eclips: Eclips, tilted: Path, tmp_path: Path, argv: list[str], status: int, words: str
) -> None:
    outcome = eclips("level", tilted, *argv, "-o", tmp_path / "out.tif")
    assert outcome.status == status
    assert words in outcome.err
    assert not (tmp_path / "out.tif").exists()


def test_the_input_is_not_overwritten(eclips: Eclips, tilted: Path) -> None:
    before = tilted.read_bytes()
    assert "not overwritten" in eclips("level", tilted, "--plane", "-o", tilted).err
    assert tilted.read_bytes() == before


def test_a_reconstruction_is_levelled_and_a_levelled_run_replays_bit_for_bit(eclips: Eclips, case: Any) -> None:
    path, out = case.folder / "made.eclips", case.folder / "flat.tif"
    assert (
        eclips("reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o", path).status == 0
    )
    assert eclips("level", path, "--polynomial", "2,2", "-o", out).status == 0
    made = snapshot.from_state(*read_project(path, SilentContext()))
    (run,) = [item for item in made.items if isinstance(item, Run)]
    levelled = run
    for step in (LevelStep("polynomial"), LevelStep("facet")):
        params = Level((step,), (run.pixel_size_nm, run.pixel_size_nm))
        levelled = levelled_run(
            levelled, params, run_step("level", level_inputs(levelled.arrays), params, SilentContext())
        )
    assert levelled.name == f"{run.name}, levelled"
    params = Level((LevelStep("polynomial"),))
    expected = run_step("level", level_inputs(run.arrays), params, SilentContext()).arrays["height"]
    np.testing.assert_allclose(read(out)[0], expected, atol=1e-4)
    both = case.folder / "both.eclips"
    write_project(both, *snapshot.state_of([*made.items, levelled]))
    replayed = eclips("verify", both, "--json").json
    assert [each["identical"] for each in replayed["runs"]] == [True, True]
    # What asks the images about heights refuses heights that are not theirs any more.
    assert "levelled heights" in eclips("cycle", both, "--run", levelled.id).err
