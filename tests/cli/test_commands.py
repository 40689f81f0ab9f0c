"""Every command through its arguments: what it prints, what it writes, how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from eclips_app import __main__ as program
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadHeightMap
from tests.cli.conftest import SIZE_NM, Case, Outcome, hill

Eclips = Callable[..., Outcome]


def quantity(found: Any) -> float:
    assert set(found) == {"value", "std", "unit"}
    return float(found["value"])


@pytest.fixture
def project(case: Case, eclips: Eclips) -> str:
    path = str(case.folder / "out.eclips")
    assert (
        eclips("reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o", path).status == 0
    )
    return path


# Without a command


def test_window_opens_without_arguments_and_with_files(eclips: Eclips, case: Case) -> None:
    assert eclips().opened == [([], "")]
    assert eclips(case.stack).opened == [([Path(case.stack)], "")]


def test_help_and_version(eclips: Eclips) -> None:
    shown = eclips("--help")
    assert shown.status == 0
    assert "reconstruct" in shown.out
    assert eclips("--version").out.startswith("ECLIPS ")


@pytest.mark.parametrize(
    "command",
    [
        "reconstruct",
        "simulate",
        "surface",
        "emission",
        "train",
        "vision-field",
        "profile",
        "level",
        "check",
        "cycle",
        "export",
        "info",
        "verify",
        "demo",
        "bench",
    ],
)
def test_every_command_explains_itself(eclips: Eclips, command: str) -> None:
    shown = eclips(command, "--help")
    assert shown.status == 0
    assert "--json" in shown.out


@pytest.mark.parametrize(
    "argv",
    [
        ["--no-such-option"],
        ["no-such-command-or-file"],
        ["profile"],
        ["profile", "a.eclips", "--from", "1,2"],
        ["reconstruct", "a.tif", "--detector", "d.json", "-o", "x.eclips", "--pixel-size", "2"],
        ["reconstruct", "a.tif", "--detector", "d.json", "-o", "x.eclips", "--pixel-size=-2nm"],
        ["reconstruct", "a.tif", "--detector", "d.json", "-o", "x.eclips", "--crop", "1,2,3"],
        ["demo", "no-such-example"],
        ["bench", "no-such-bench"],
    ],
)
def test_wrong_usage_is_status_2(eclips: Eclips, argv: list[str]) -> None:
    outcome = eclips(*argv)
    assert outcome.status == 2
    assert outcome.err
    assert outcome.opened == []


def test_missing_method_is_a_usage_error_that_names_what_there_is(eclips: Eclips, case: Case) -> None:
    outcome = eclips("reconstruct", *case.files, "--detector", case.detector, "-o", "x.eclips", "--method", "psychic")
    assert outcome.status == 2
    assert "linear" in outcome.err


# reconstruct


@pytest.mark.parametrize("stacked", [False, True])
def test_reconstruct_gives_the_surface(eclips: Eclips, case: Case, stacked: bool) -> None:
    path = case.folder / "out.eclips"
    images = [case.stack] if stacked else case.files
    outcome = eclips(
        "reconstruct", *images, "--detector", case.detector, "--pixel-size", "0.005um", "-o", path, "--json"
    )
    assert outcome.status == 0
    assert quantity(outcome.json["runs"][0]["height_range"]) == pytest.approx(40.0, rel=0.05)
    with h5py.File(path) as file:
        height = file["reconstruction/height"][()]
        assert file["reconstruction/height"].attrs["pixel_size_nm"] == SIZE_NM
        assert file["input/quadrants"].shape == (4, 60, 80)
    off = (height - height.mean()) - (hill() - hill().mean())
    assert off.std() < 0.5
    assert outcome.json["output"] == str(path)


def test_files_keep_the_order_in_which_they_are_given(eclips: Eclips, case: Case) -> None:
    """Swapped files are another surface; the command says that they look swapped, and obeys."""
    path = case.folder / "out.eclips"
    east, north, west, south = case.files
    argv = ["--detector", case.detector, "--pixel-size", "5nm", "-o", path]
    outcome = eclips("reconstruct", west, north, east, south, *argv)
    assert outcome.status == 0
    assert "check the order" in outcome.err
    with h5py.File(path) as file:
        assert np.array_equal(file["input/quadrants"][0], tifffile.imread(west))


def test_missing_pixel_size_is_told(eclips: Eclips, case: Case) -> None:
    outcome = eclips("reconstruct", *case.files, "--detector", case.detector, "-o", case.folder / "out.eclips")
    assert outcome.status == 1
    assert "--pixel-size 2nm" in outcome.err.splitlines()[-1]
    assert not (case.folder / "out.eclips").exists()


def test_wrong_number_of_images_is_told(eclips: Eclips, case: Case) -> None:
    argv = ["--detector", case.detector, "--pixel-size", "5nm", "-o", case.folder / "out.eclips"]
    outcome = eclips("reconstruct", *case.files[:3], *argv)
    assert outcome.status == 1
    assert "4 segments" in outcome.err


def test_inputs_are_never_overwritten(eclips: Eclips, case: Case, project: str) -> None:
    before = {path: path.read_bytes() for path in case.folder.iterdir()}
    reconstruct = ["reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o"]
    link = case.folder / "link.tif"
    os.link(case.files[0], link)
    for argv in (
        [*reconstruct, case.files[0]],
        [*reconstruct, case.detector],
        [*reconstruct, link],
        ["export", project, "--to", case.folder / "." / "out.eclips"],
        ["simulate", case.stack, "--detector", case.detector, "-o", case.stack],
    ):
        outcome = eclips(*argv)
        assert outcome.status == 1, argv
    link.unlink()
    assert {path: path.read_bytes() for path in case.folder.iterdir()} == before


def test_registration_finds_a_shift(eclips: Eclips, case: Case) -> None:
    path = case.folder / "out.eclips"
    argv = [
        "--detector",
        case.detector,
        "--pixel-size",
        "5nm",
        "-o",
        path,
        "--json",
        "--register",
        "--crop",
        "4,4,56,76",
    ]
    outcome = eclips("reconstruct", *case.files, *argv)
    assert outcome.status == 0
    (made,) = outcome.json["runs"]
    assert made["crop"] == [4, 4, 56, 76]
    assert made["shape"] == [52, 72]
    assert np.shape(made["shifts_px"]) == (4, 2)


def test_damaged_inputs_are_told_in_one_line(eclips: Eclips, case: Case) -> None:
    argv = ["--detector", case.detector, "--pixel-size", "5nm", "-o", case.folder / "out.eclips"]
    Path(case.files[1]).write_bytes(b"II*\0 not really a TIFF")
    outcome = eclips("reconstruct", *case.files, *argv)
    assert outcome.status == 1
    assert "N.tif" in outcome.err
    Path(case.detector).write_text('{"schema": "eclips-detector/1"}')
    outcome = eclips("reconstruct", *case.files, *argv)
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1


# profile


def test_profile_measures_a_known_hill(eclips: Eclips, project: str) -> None:
    """From the top two standard deviations down to the right."""
    found = eclips("profile", project, "--from", "40,30", "--to", "60,30", "--json").json
    assert quantity(found["length"]) == pytest.approx(100.0)
    assert found["length"]["unit"] == "nm"
    assert quantity(found["height_difference"]) == pytest.approx(-40 * (1 - np.exp(-2)), abs=0.5)
    assert found["height_difference"]["std"] > 0
    line = np.polyfit(5.0 * np.arange(21), 40 * np.exp(-(np.arange(21) ** 2) / 200), 1)
    assert quantity(found["slope_angle"]) == pytest.approx(np.degrees(np.arctan(line[0])), abs=0.3)
    assert 0 < quantity(found["mean_deviation"]) < quantity(found["rms_deviation"])
    assert len(found["distance_nm"]) == len(found["height_nm"]) == len(found["std_nm"]) == 21
    again = eclips("profile", project, "--from", "200nm,0.15um", "--to", "60,30", "--json").json
    assert again["height_nm"] == pytest.approx(found["height_nm"])


def test_profile_prints_words_without_json(eclips: Eclips, project: str) -> None:
    outcome = eclips("profile", project, "--from", "30,0", "--to", "50,0", "--width", "15nm")
    assert outcome.status == 0
    assert "slope of the fitted line" in outcome.out
    assert "°" in outcome.out


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("5,5", "5,5", "no length"),
        ("500,0", "600,0", "0,0 to 79,59"),
        ("a,b", "1,2", "not a length"),
        ("5", "1,2", "no point"),
    ],
)
def test_profile_says_what_is_wrong_with_a_line(eclips: Eclips, project: str, start: str, end: str, said: str) -> None:
    outcome = eclips("profile", project, "--from", start, "--to", end)
    assert outcome.status == 1
    assert said in outcome.err


def test_profile_of_an_unknown_run_names_those_there_are(eclips: Eclips, project: str) -> None:
    outcome = eclips("profile", project, "--from", "1,1", "--to", "9,9", "--run", "Best")
    assert outcome.status == 1
    assert "Linear" in outcome.err


# export, simulate, info, verify, demo, bench


def test_export_and_simulate_close_the_circle(eclips: Eclips, case: Case, project: str) -> None:
    """Height to TIFF, rendered again, reconstructed again: the same surface."""
    height, again, second = (str(case.folder / name) for name in ("height.tif", "again.tif", "second.eclips"))
    assert eclips("export", project, "--to", height, "--json").json["output"] == height
    made = eclips("simulate", height, "--detector", case.detector, "--dose", "4e4", "-o", again, "--json").json
    assert made["pixel_size_nm"] == pytest.approx(SIZE_NM)
    assert made["shape"] == [4, 60, 80]
    assert (
        eclips("reconstruct", again, "--detector", case.detector, "-o", second).status == 0
    )  # pixel size from the file
    with h5py.File(project) as a, h5py.File(second) as b:
        off = a["reconstruction/height"][()] - b["reconstruction/height"][()]
    assert (off - off.mean()).std() < 0.5


def test_simulated_noise_repeats_with_its_seed(eclips: Eclips, case: Case) -> None:
    height = case.folder / "height.tif"
    tifffile.imwrite(height, hill().astype(np.float32))
    argv = ["--pixel-size", "5nm", "--detector", case.detector, "--dose", "100", "-o"]
    images = []
    for seed in (1, 1, 2):
        path = case.folder / f"q{len(images)}.tif"
        assert eclips("simulate", height, *argv, path, "--seed", seed).status == 0
        images.append(tifffile.imread(path))
    assert np.array_equal(images[0], images[1])
    assert not np.array_equal(images[0], images[2])


def test_export_of_unknown_suffix(eclips: Eclips, case: Case, project: str) -> None:
    outcome = eclips("export", project, "--to", case.folder / "a.doc")
    assert outcome.status == 1
    assert ".stl" in outcome.err


def test_info_tells_what_each_file_is(eclips: Eclips, case: Case, project: str) -> None:
    height = case.folder / "height.tif"
    eclips("export", project, "--to", height)
    outcome = eclips("info", project, case.stack, height, case.detector, "--json")
    assert outcome.status == 0
    kinds = [each["kind"] for each in outcome.json["files"]]
    assert kinds == ["project", "images", "height map", "detector"]
    first = outcome.json["files"][0]
    assert first["runs"][0]["shape"] == [60, 80]
    assert first["sets"][0]["pixel_size_nm"] == SIZE_NM
    assert "80 x 60" in eclips("info", project).out


def test_info_goes_on_after_a_bad_file(eclips: Eclips, case: Case) -> None:
    bad = case.folder / "bad.eclips"
    bad.write_bytes(b"nothing")
    outcome = eclips("info", bad, case.folder / "missing.tif", case.stack, "--json")
    assert outcome.status == 1
    assert ["error" in each for each in outcome.json["files"]] == [True, True, False]


def test_verify_replays_bit_for_bit_and_notices_a_change(eclips: Eclips, case: Case, project: str) -> None:
    assert eclips("verify", project, "--json").json["runs"][0]["identical"] is True
    with h5py.File(project, "r+") as file:
        height = file["reconstruction/height"]
        height[3, 4] = np.nextafter(height[3, 4], np.float32(np.inf))
    outcome = eclips("verify", project, "--json")
    assert outcome.status == 1
    assert outcome.json["runs"][0]["identical"] is False
    assert 0 < outcome.json["runs"][0]["largest_difference_nm"] < 1e-3


def test_demo_lists_its_examples_and_opens_the_window(eclips: Eclips) -> None:
    assert set(eclips("demo", "--list", "--json").json["examples"]) >= {"vickers", "steps", "particles"}
    assert eclips("demo", "steps").opened == [([], "steps")]


def test_demo_writes_a_project_that_verifies(eclips: Eclips, tmp_path: Path) -> None:
    path = tmp_path / "demo"
    outcome = eclips("demo", "steps", "-o", path, "--json")
    assert outcome.json["output"] == f"{path}.eclips"
    assert eclips("verify", f"{path}.eclips").status == 0


def test_bench_engine_prints_a_table(eclips: Eclips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eclips_app.cli.bench_engine.SIZES", (256,))
    (table,) = eclips("bench", "engine", "--json").json["tables"]
    assert table["rows"][0]["pixels"] == "256 x 256"
    assert table["rows"][0]["cpu_s"] > 0


# The program as installed


def test_installed_command_and_module() -> None:
    script = Path(sys.executable).with_name("eclips")
    for command in ([str(script)], [sys.executable, "-m", "eclips_app"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("ECLIPS ")


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["reconstruct", "--help"],
        ["calibrate", "--help"],
        ["check-calibration", "--help"],
        ["export", "--help"],
        ["demo", "--list"],
        ["bench", "--help"],
    ],
)
def test_no_command_imports_what_it_does_not_need(argv: list[str]) -> None:
    code = (
        "import sys; from eclips_app.__main__ import main; main(sys.argv[1:]);"
        "heavy = {'PySide6', 'torch', 'scipy', 'vtkmodules', 'numba', 'pyqtgraph', 'h5py', 'skimage', 'matplotlib'};"
        "heavy &= set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_info_and_profile_never_import_torch_or_qt(case: Case, project: str) -> None:
    code = (
        "import sys; from eclips_app.__main__ import main;"
        "main(['info', *sys.argv[1:]]); main(['profile', sys.argv[1], '--from', '1,1', '--to', '9,9']);"
        "heavy = {'PySide6', 'torch', 'vtkmodules'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, project, case.stack], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_window_is_refused_where_it_would_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_installed", lambda name: "6.12.0")
    if sys.version_info < (3, 12):
        with pytest.raises(EclipsError, match=r"6\.12\.0"):
            program.open_window()
    monkeypatch.setattr(program, "_installed", lambda name: "6.11.3")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(EclipsError, match="no screen"):
        program.open_window()


def test_reading_the_exported_height_needs_no_options(eclips: Eclips, case: Case, project: str) -> None:
    from eclips_app.core.context import SilentContext
    from eclips_app.core.steps import run_step

    path = case.folder / "height.tif"
    eclips("export", project, "--to", path)
    info = run_step("read-height-map", {}, ReadHeightMap(str(path)), SilentContext()).info
    assert info["pixel_size_nm"] == pytest.approx([SIZE_NM, SIZE_NM])


def test_a_stack_of_several_frames_is_a_time_series(eclips: Eclips, case: Case) -> None:
    path = case.folder / "series.tif"
    stack = tifffile.imread(case.stack)
    tifffile.imwrite(path, np.concatenate([stack, stack[:, ::-1]]), photometric="minisblack")
    out = case.folder / "out.eclips"
    argv = ["--detector", case.detector, "--pixel-size", "5nm", "-o", out, "--json"]
    outcome = eclips("reconstruct", path, *argv)
    assert (outcome.status, len(outcome.json["runs"])) == (0, 2)
    with h5py.File(out) as file:
        assert file["input/quadrants"].shape == (2, 4, 60, 80)
        assert file["reconstruction/height"].shape == (2, 60, 80)
        assert np.isnan(file["series/time_s"][()]).all()
    assert eclips("verify", out).status == 0
