"""Fixtures of the scenarios: programs with settings of their own, and images on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from driver import PIXEL_NM, Program
from pytestqt.qtbot import QtBot

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.steps import Simulate, Specimen, run_step

DETECTOR = Detector(
    name="Ring of four",
    quadrants=tuple(Segment(name, 90.0 * k, 86.0, 1.0, 0.0) for k, name in enumerate("ENWS")),
    beam=Beam(15.0, 2.0),
)


@pytest.fixture
def start(
    qapp: object, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], Program]]:
    """Start the program; each start finds the settings and safety copies of those before it."""
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "home" / name.lower()))
    programs = []

    def make() -> Program:
        programs.append(Program(tmp_path, qtbot, monkeypatch))
        return programs[-1]

    yield make
    for program in programs:
        program.quit()


@pytest.fixture
def program(start: Callable[[], Program]) -> Program:
    """The program, just started."""
    return start()


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scan on disk: `E.tif` … `S.tif` without pixel size, and `detector.json`."""
    folder = tmp_path_factory.mktemp("scan")
    height = run_step("specimen", {}, Specimen("rough", 256, 320, PIXEL_NM, 1), SilentContext()).arrays["height"]
    params = Simulate(DETECTOR, PIXEL_NM, dose=5000.0, azimuths=16, seed=1)
    images = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
    for name, image in zip("ENWS", images, strict=True):
        tifffile.imwrite(folder / f"{name}.tif", image)
    (folder / "detector.json").write_text(json.dumps(DETECTOR.to_json()))
    return folder


@pytest.fixture(scope="session")
def large_scan(scan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan that takes the engine a while: the other one, tiled, with clipped pixels, as one stack."""
    folder = tmp_path_factory.mktemp("large")
    images = np.stack([np.tile(tifffile.imread(scan / f"{name}.tif"), (4, 3)) for name in "ENWS"])
    images[:, 100:140, 100:900] = 65535
    tifffile.imwrite(folder / "large.tif", images, photometric="minisblack")
    return folder
