"""The options of a fit: they reach its parameters and inputs, are kept with the run, and are refused where they do nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from eclips_app.cli.verify import StopAfter
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import Cancelled
from eclips_app.io.project_file import read_project
from eclips_app.model.items import Run
from eclips_app.model.runs import given_again
from eclips_app.model.snapshot import from_state
from tests.cli.conftest import Case, Outcome

Eclips = Callable[..., Outcome]
QUICK = ("--method", "closed-loop", "--azimuths", "8", "--draws", "2", "--steps", "2")


def argv(case: Case, name: str, *more: object) -> list[object]:
    output = case.folder / f"{name}.eclips"
    return ["reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o", output, *more]


def made(case: Case, name: str) -> Run:
    (run,) = (i for i in from_state(*read_project(case.folder / f"{name}.eclips")).items if isinstance(i, Run))
    return run


def written(case: Case, name: str, array: np.ndarray) -> Path:
    path = case.folder / name
    tifffile.imwrite(path, array)
    return path


def test_numbers_and_tolerances_reach_the_run(eclips: Eclips, case: Case) -> None:
    more = [
        "--grey-per-electron", "1.5", "--read-noise", "2", "--smoothing", "5", "--seed", "3", "--tile", "256",
        "--least-fall", "0.01", "--no-coarse-to-fine", "--brightness", "uniform",
        "--tolerance", "distance_mm=0.05", "--tolerance", "gain_percent=1",
    ]  # fmt: skip
    outcome = eclips(*argv(case, "out", *QUICK, *more, "--json"))
    assert outcome.status == 0, outcome.err
    params = made(case, "out").params
    wanted = {
        "grey_per_electron": 1.5, "read_noise_grey": 2.0, "smoothing": 5.0, "seed": 3, "tile_px": 256, "least_fall": 0.01,
        "coarse_to_fine": False, "brightness": "uniform", "azimuths": 8, "draws": 2, "steps": 2,
    }  # fmt: skip
    assert {name: params[name] for name in wanted} == wanted
    assert params["tolerances"] == {"distance_mm": 0.05, "gain_percent": 1.0}
    (told,) = outcome.json["runs"]
    assert told["chi2"] > 0
    assert 1 <= told["steps"] <= 4  # twice two: with stated gains the heights settle again after them
    assert eclips("verify", case.folder / "out.eclips").status == 0


def test_maps_reach_the_fit_and_are_kept_with_it(eclips: Eclips, case: Case) -> None:
    rho = np.full((60, 80), 1.0, np.float32)
    rho[:, 40:] = 1.5
    path = written(case, "rho.tif", rho)
    crop = ["--crop", "4,8,52,72"]
    outcome = eclips(*argv(case, "known", *QUICK, *crop, "--brightness", "known", "--rho", path))
    assert outcome.status == 0, outcome.err
    run = made(case, "known")
    np.testing.assert_array_equal(given_again(run)["rho"], rho[4:52, 8:72])
    assert run.info["given"] == {"rho": str(path)}
    labels = written(case, "labels.tif", (rho[4:52, 8:72] > 1).astype(np.uint8))
    outcome = eclips(*argv(case, "labels", *QUICK, *crop, "--brightness", "material", "--materials", labels))
    assert outcome.status == 0, outcome.err
    assert given_again(made(case, "labels"))["materials"].dtype == np.int32
    assert eclips("verify", case.folder / "labels.eclips").status == 0


def test_a_fit_starts_from_the_run_of_a_project_and_verifies_without_it(eclips: Eclips, case: Case) -> None:
    assert eclips(*argv(case, "first")).status == 0
    first = case.folder / "first.eclips"
    outcome = eclips(*argv(case, "second", *QUICK, "--start", first))
    assert outcome.status == 0, outcome.err
    np.testing.assert_array_equal(given_again(made(case, "second"))["start"], made(case, "first").arrays["height"])
    first.unlink()
    outcome = eclips("verify", case.folder / "second.eclips")
    assert outcome.status == 0, outcome.out


def test_a_project_to_start_from_is_not_overwritten(eclips: Eclips, case: Case) -> None:
    assert eclips(*argv(case, "first")).status == 0
    outcome = eclips(*argv(case, "first", *QUICK, "--start", case.folder / "first.eclips"))
    assert outcome.status == 1
    assert "not overwritten" in outcome.err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--draws", "4"], "--draws belongs to the method closed-loop"),
        (
            ["--quality", "metrology", "--emission", "tabulated"],
            "--quality, --emission belong to the method closed-loop",
        ),
        (["--no-coarse-to-fine", "--start", "x.eclips"], "--coarse-to-fine, --start belong"),
        (["--tolerance", "tilt_deg=1"], "--tolerance belongs"),
        ([*QUICK, "--brightness", "known"], "--rho and --brightness known belong together"),
        ([*QUICK, "--materials", "x.png"], "--materials and --brightness material belong together"),
        ([*QUICK, "--seed", "-1"], "seed: -1 is out of range"),
        ([*QUICK, "--tolerance", "tilt_deg=90"], "tolerances.tilt_deg: 90 is out of range"),
    ],
)
def test_misuse_is_told_in_one_line(eclips: Eclips, case: Case, more: Sequence[str], said: str) -> None:
    outcome = eclips(*argv(case, "out", *more))
    assert outcome.status == 1
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


def test_maps_of_another_size_and_labels_that_are_none_are_told(eclips: Eclips, case: Case) -> None:
    path = written(case, "map.tif", np.ones((30, 20), np.float32))
    outcome = eclips(*argv(case, "out", *QUICK, "--brightness", "known", "--rho", path))
    assert "map.tif has 20 × 30 px, but the images have 80 × 60 px" in outcome.err
    path = written(case, "labels.tif", np.full((60, 80), 0.5, np.float32))
    outcome = eclips(*argv(case, "out", *QUICK, "--brightness", "material", "--materials", path))
    assert "labels.tif: labels are whole numbers" in outcome.err
    outcome = eclips(*argv(case, "out", *QUICK, "--start", case.folder / "missing.eclips"))
    assert "missing.eclips: there is no such file" in outcome.err


@pytest.mark.parametrize("text", ["distance=1", "distance_mm", "distance_mm=far"])
def test_a_tolerance_that_is_none_is_wrong_usage(eclips: Eclips, case: Case, text: str) -> None:
    outcome = eclips(*argv(case, "out", *QUICK, "--tolerance", text))
    assert outcome.status == 2
    assert "pixel_size_percent" in outcome.err


def test_a_replay_stops_where_the_run_was_stopped() -> None:
    context = StopAfter(SilentContext(), 3)
    for count in (1, 2):
        context.preview("chi2", np.ones((count, 2)))
        context.check()
    context.preview("height", np.ones((9, 9)))
    context.progress(0.5)
    context.preview("chi2", np.ones((3, 2)))
    with pytest.raises(Cancelled):
        context.progress(0.6)
