"""Files for the commands: a rendered wavy surface with its detector file, made once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from eclips_app.cli.main import main
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.steps import Simulate, run_step

SIZE_NM = 5.0
SEGMENTS = tuple(
    Segment(name, azimuth, 86.0, 1.0, 0.0) for name, azimuth in zip("ENWS", (0, 90, 180, 270), strict=True)
)
DETECTOR = Detector(name="Test", quadrants=SEGMENTS)


def hill() -> NDArray[np.float64]:
    """A Gaussian hill 40 nm high at column 40, row 30 of 80 x 60 pixels, with a standard deviation of 10 pixels."""
    rows, columns = np.mgrid[:60, :80]
    height: NDArray[np.float64] = 40.0 * np.exp(-((columns - 40) ** 2 + (rows - 30) ** 2) / 200.0)
    return height


@pytest.fixture(scope="session")
def images() -> NDArray[Any]:
    """Segment images of `hill`, uint16 [k, row, col]."""
    params = Simulate(DETECTOR, SIZE_NM, dose=40000.0, azimuths=32, seed=1)
    return run_step("simulate", {"height": hill()}, params, SilentContext()).arrays["segments"]


@dataclass
class Case:
    """A folder with one file for each segment, a stack of them, and the detector file."""

    folder: Path

    @property
    def files(self) -> list[str]:
        return [str(self.folder / f"{name}.tif") for name in "ENWS"]

    @property
    def stack(self) -> str:
        return str(self.folder / "stack.tif")

    @property
    def detector(self) -> str:
        return str(self.folder / "detector.json")


@pytest.fixture
def case(tmp_path: Path, images: NDArray[Any]) -> Case:
    for name, image in zip("ENWS", images, strict=True):
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    tifffile.imwrite(tmp_path / "stack.tif", images, photometric="minisblack")
    (tmp_path / "detector.json").write_text(json.dumps(DETECTOR.to_json()))
    return Case(tmp_path)


@dataclass
class Outcome:
    """What a call of the program gave; `opened` are the arguments if it opened the window."""

    status: int
    out: str
    err: str
    opened: list[tuple[list[Path], str]]

    @property
    def json(self) -> Any:
        """Standard output as strict JSON."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


@pytest.fixture
def eclips(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call the program in this process, with a window that only notes that it was opened."""

    def call(*argv: object) -> Outcome:
        opened: list[tuple[list[Path], str]] = []

        def open_window(paths: Sequence[Path], example: str) -> int:
            opened.append((list(paths), example))
            return 0

        capsys.readouterr()
        status = main([str(each) for each in argv], open_window)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err, opened)

    return call
