"""`eclips check` and `eclips cycle`: verdicts and differences of a project's runs, and the report."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile

from tests.cli.conftest import Case, Outcome

Eclips = Callable[..., Outcome]


@pytest.fixture
def project(case: Case, eclips: Eclips) -> Path:
    path = case.folder / "out.eclips"
    made = eclips("reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o", path)
    assert made.status == 0
    return path


def test_check_tells_that_a_good_run_is_explained(eclips: Eclips, project: Path) -> None:
    told = eclips("check", project, "--json")
    assert told.status == 0
    assert told.json["explained"] > 0.98
    assert told.json["verdicts"][0]["kind"] == "explained"
    assert eclips("check", project).out.startswith("Explained by the model")


def test_check_fails_where_a_region_is_not_explained(eclips: Eclips, case: Case) -> None:
    image = tifffile.imread(case.files[0])
    image[10:30, 20:50] = image[10:30, 20:50] * 0.9  # dirt on one segment
    tifffile.imwrite(case.files[0], image)
    path = case.folder / "dirty.eclips"
    eclips("reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o", path)
    told = eclips("check", path, "--json")
    assert told.status == 1
    worst = next(each for each in told.json["verdicts"] if each["kind"] == "not explained")
    top, left, bottom, right = worst["bbox"]
    assert (top, left) < (12, 22)
    assert bottom > 28
    assert right > 48


def test_cycle_gives_numbers_and_the_caveat(eclips: Eclips, project: Path) -> None:
    told = eclips("cycle", project, "--json")
    assert told.status == 0
    assert told.json["rms"]["unit"] == "nm"
    assert 0 < told.json["rms_percent"] < 5
    assert "does not prove" in told.json["caveat"]
    noisy = eclips("cycle", project, "--noise", "--json").json
    assert noisy["normal_error"]["value"] > told.json["normal_error"]["value"]
    assert "Largest difference" in eclips("cycle", project).out


def test_the_report_is_one_file_with_pictures_hashes_and_parameters(eclips: Eclips, project: Path, case: Case) -> None:
    report = case.folder / "cycle.html"
    assert eclips("cycle", project, "-o", report).status == 0
    text = report.read_text(encoding="utf-8")
    pictures = re.findall(r"data:image/png;base64,([^']+)", text)
    assert len(pictures) == 3
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert "does not prove" in text
    assert "Explained by the model" in text
    assert "distance_mm" in text
    assert len(re.findall(r"[0-9a-f]{64}", text)) >= 4
    assert "http" not in text  # nothing is fetched


def test_the_report_does_not_overwrite_the_project(eclips: Eclips, project: Path) -> None:
    before = project.read_bytes()
    outcome = eclips("cycle", project, "-o", project)
    assert outcome.status == 1
    assert project.read_bytes() == before


def test_an_unknown_run_is_told(eclips: Eclips, project: Path) -> None:
    for command in ("check", "cycle"):
        outcome = eclips(command, project, "--run", "nobody")
        assert outcome.status == 1
        assert "nobody" in outcome.err
