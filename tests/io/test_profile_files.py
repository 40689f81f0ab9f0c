"""Files of profiles, read back by independent libraries."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path

import ezdxf
import numpy as np
import openpyxl
import pytest

from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.io.profile_files import CurveOfLine, LineProfiles, Scale, write_profiles
from eclips_app.metrology.path import sample_shape

SIZE = 2.0
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def lines() -> list[LineProfiles]:
    """A line over a ramp of 1/2 with a hole at columns 20 to 22, and a circle."""
    height = np.broadcast_to(np.arange(60) * SIZE * 0.5, (50, 60)).copy()
    height[:, 20:23] = np.nan
    found = []
    for name, shape in (
        ("=Line [1]", Shape("line", ((5.0, 25.0), (45.0, 25.0)), 3.0)),
        ("=Line [1]", Shape("circle", ((40.0, 25.0), (50.0, 25.0)))),
    ):
        profile = sample_shape(height, shape, pixel_size_nm=SIZE)
        found.append(LineProfiles(name, shape, "#e6550d", (CurveOfLine("A", "Run 1", "r1", profile),)))
    return found


def test_workbook_has_a_sheet_for_each_line_with_units_and_facts(tmp_path: Path, lines: list[LineProfiles]) -> None:
    write_profiles(tmp_path / "p.xlsx", lines, {"Project": "=cmd"})
    book = openpyxl.load_workbook(tmp_path / "p.xlsx")
    assert book.sheetnames == ["=Line _1_", "=Line _1_ (2)", "Facts"]
    sheet = book["=Line _1_"]
    assert sheet["A1"].value == "A: Run 1"
    assert [cell.value for cell in sheet[2]] == [
        "distance (nm)", "height (nm)", "spread (nm)", "std (nm)", "column (px)", "row (px)",
    ]  # fmt: skip
    last = [cell.value for cell in sheet[sheet.max_row]]
    assert last[:3] == pytest.approx([80.0, 45.0, 0.0], abs=1e-9)
    assert last[3] is None
    holes = [row[1].value for row in sheet.iter_rows(min_row=3)].count(None)
    assert holes == 3
    facts = {row[0].value: row[1] for row in book["Facts"].iter_rows()}
    assert facts["Project"].value == "=cmd"
    assert facts["Project"].data_type == "s"  # no formula
    assert facts["=Line _1_: points (px)"].value == "5, 25; 45, 25"


def test_csv_names_line_and_source(tmp_path: Path, lines: list[LineProfiles]) -> None:
    write_profiles(tmp_path / "p.csv", lines, {})
    with (tmp_path / "p.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(line.curves[0].profile) for line in lines)
    assert rows[0]["source id"] == "r1"
    assert rows[16]["height (nm)"] == ""


@pytest.mark.parametrize(("unit", "per_nm", "code"), [("nm", 1.0, 12), ("mm", 1e-6, 4)])
def test_dxf_is_at_true_scale(tmp_path: Path, lines: list[LineProfiles], unit: str, per_nm: float, code: int) -> None:
    write_profiles(tmp_path / "p.dxf", lines[:1], {}, Scale(unit, 2.0))
    drawing = ezdxf.readfile(tmp_path / "p.dxf")
    assert drawing.units == code
    curves = drawing.modelspace().query("LWPOLYLINE")
    assert len(curves) == 2  # the hole parts them
    ends = [curves[0].get_points("xy")[0], curves[1].get_points("xy")[-1]]
    assert np.allclose(ends, np.array([(0.0, 2 * 5.0), (80.0, 2 * 45.0)]) * per_nm)
    (text,) = drawing.modelspace().query("TEXT")
    assert text.dxf.text == f"1 unit = 1 {unit}, heights x 2"
    assert drawing.audit().errors == []


@pytest.mark.parametrize("scale", [Scale(), Scale("mm", 3.0)])
def test_svg_has_equal_axes_and_a_size_in_mm(tmp_path: Path, lines: list[LineProfiles], scale: Scale) -> None:
    write_profiles(tmp_path / "p.svg", lines[:1], {}, scale)
    root = ET.parse(tmp_path / "p.svg").getroot()
    width, height = (float(root.attrib[name].removesuffix("mm")) for name in ("width", "height"))
    assert root.attrib["width"].endswith("mm")
    box = [float(part) for part in root.attrib["viewBox"].split()]
    assert box[2] / width == pytest.approx(box[3] / height)
    path = root.findall(f"{SVG}path")[0]
    numbers = [tuple(map(float, pair.strip(" M").split())) for pair in path.attrib["d"].replace(" M", " L").split(" L")]
    rise = -(numbers[-1][1] - numbers[0][1]) / (numbers[-1][0] - numbers[0][0])
    assert rise == pytest.approx(0.5 * scale.z_exaggeration)
    assert numbers[-1][0] - numbers[0][0] == pytest.approx(80.0 * scale.per_nm)
    assert box[0] <= numbers[0][0]
    assert numbers[-1][0] <= box[0] + box[2]
    assert scale.text in root.findtext(f"{SVG}desc", "")


def test_what_cannot_be_written_is_said(tmp_path: Path, lines: list[LineProfiles]) -> None:
    with pytest.raises(EclipsError, match="not written as"):
        write_profiles(tmp_path / "p.png", lines, {})
    with pytest.raises(EclipsError, match="no profile"):
        write_profiles(tmp_path / "p.csv", [], {})
    with pytest.raises(EclipsError, match="no unit"):
        Scale("inch")
    with pytest.raises(EclipsError, match="drawn 0 times"):
        Scale("nm", 0.0)
    blank = sample_shape(np.full((9, 9), np.nan), Shape("line", ((1.0, 1.0), (7.0, 1.0))), pixel_size_nm=1.0)
    empty = LineProfiles("Empty", lines[0].shape, "#000000", (CurveOfLine("A", "Run", "r", blank),))
    with pytest.raises(EclipsError, match="no point"):
        write_profiles(tmp_path / "p.svg", [empty], {})
    assert list(tmp_path.iterdir()) == []
