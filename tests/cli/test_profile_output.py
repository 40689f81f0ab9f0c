"""``eclips profile -o``: the profile as a file, with the numbers that the command prints."""

from __future__ import annotations

from pathlib import Path

import ezdxf
import numpy as np
import openpyxl
import pytest
from test_profile_budget import project as project  # a ramp of 45 degrees, 4 nm a pixel


def test_files_hold_the_numbers_that_are_printed(eclips, project: Path, tmp_path: Path) -> None:
    line = ("profile", project, "--shape", "circle:20,15:26,15", "--step", "8nm")
    found = eclips(*line, "-o", tmp_path / "p.xlsx", "--json").json
    assert found["output"] == str(tmp_path / "p.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "p.xlsx")["Profile"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=3)]
    assert [row[0] for row in rows] == pytest.approx(found["distance_nm"])
    assert [row[1] for row in rows] == pytest.approx(found["height_nm"])
    assert [row[3] for row in rows] == pytest.approx(found["std_nm"])


def test_drawings_take_a_unit_and_an_exaggeration(eclips, project: Path, tmp_path: Path) -> None:
    line = ("profile", project, "--from", "5,10", "--to", "25,10", "-o", tmp_path / "p.dxf")
    told = eclips(*line, "--unit", "mm", "--z-exaggeration", "3").out
    assert "p.dxf" in told
    (curve,) = ezdxf.readfile(tmp_path / "p.dxf").modelspace().query("LWPOLYLINE")
    first, last = np.array(curve.get_points("xy"))[[0, -1]]
    assert np.allclose(last - first, (80e-6, 3 * 80e-6))


def test_a_wrong_file_is_refused(eclips, project: Path, tmp_path: Path) -> None:
    line = ("profile", project, "--from", "5,10", "--to", "25,10", "-o")
    outcome = eclips(*line, tmp_path / "p.doc")
    assert (outcome.status, outcome.err.count("\n")) == (1, 1)
    assert ".xlsx" in outcome.err
    assert "replace the project" in eclips(*line, project).err
    assert eclips(*line, tmp_path / "p.svg", "--z-exaggeration", "0").status == 1
