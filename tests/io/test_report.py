"""Reports say what the project holds, with the digits that the uncertainties allow."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.crystal import Crystal, FindFacets
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.report import TEMPLATES, DrawFigure, Report, ReportTemplate
from eclips_app.core.steps import STEPS, run_step
from eclips_app.io.report import pictures
from eclips_app.io.report.content import Table
from eclips_app.io.report.figures import COLOR_BAR_MM, Map
from eclips_app.io.report.html import page
from eclips_app.io.report.numbers import written
from eclips_app.io.report.sections import content_of
from eclips_app.io.report.subject import subject_of
from eclips_app.model import facets
from eclips_app.model.items import (
    Comparison,
    CrystalItem,
    HeightMap,
    Item,
    Measurement,
    ProfileLine,
    Run,
    SegmentImage,
    SegmentSet,
)
from eclips_app.model.snapshot import state_of

ROWS, COLUMNS, PIXEL_NM = 24, 32, 2.0
DETECTOR = Detector(
    name="Ring",
    quadrants=tuple(Segment(n, 90.0 * k, 86.0, 1.0, 0.0) for k, n in enumerate("ENWS")),
    beam=Beam(15.0, 2.0),
)


def _items() -> list[Item]:
    images = tuple(
        SegmentImage(n, np.full((ROWS, COLUMNS), 7, np.uint16), source=f"{n}.tif", sha256="ab" * 32) for n in "ENWS"
    )
    height = np.add.outer(np.zeros(ROWS), np.arange(COLUMNS, dtype=np.float32)).astype(np.float32)
    arrays = {"height": height, "height_std": np.full_like(height, 0.3), "mask": np.ones(height.shape, bool)}
    params = {
        "detector": DETECTOR.to_json(),
        "pixel_size_nm": PIXEL_NM,
        "crop": [0, 0, ROWS, COLUMNS],
        "scan_parallax": True,
    }
    made = Run("r1", "Linear", "s1", "reconstruct-linear", 1, params, arrays, {}, (), "2026-01-02T03:04:05+00:00", 1.5)
    budget = [{"part": "noise", "std": 0.1, "percent": 100.0, "largest": ""}]
    values = {"Step height": {"value": 23.456, "std": 0.123, "unit": "nm", "budget": budget}}
    return [
        SegmentSet("s1", "Scan <7>", images, PIXEL_NM),
        made,
        HeightMap("m1", "AFM", np.zeros((10, 10)), (3.0, 3.0), "afm.gwy", "cd" * 32, (16.0, 12.0)),
        ProfileLine("l1", "Line 1", (2.0, 5.0), (28.0, 5.0), 3.0),
        Measurement("x1", "Terrace", "Linear", "l1", "r1", values),
        Measurement("x2", "Lost", "Linear", "l1", "r1", {}, problem="the line is gone"),
    ]


def _report(path: Path, items: list[Item], **fields: object) -> Path:
    state, arrays = state_of(items)
    run_step("report", arrays, Report(str(path), state, **fields), SilentContext())  # type: ignore[arg-type]
    return path


def test_the_html_report_says_inputs_hashes_values_and_budgets(tmp_path: Path) -> None:
    text = _report(tmp_path / "r.html", _items(), author="A. Smith", note="Sample 12").read_text()
    assert "Scan &lt;7&gt;, Linear" in text  # names are no markup
    for told in (
        "ab" * 32,
        "cd" * 32,
        "A. Smith",
        "Sample 12",
        "23.46",
        "0.12",
        "0.25",
        "noise",
        "the line is gone",
        "Line 1",
    ):
        assert told in text
    assert text.count("data:image/png;base64,") == 3  # height, its deviation, one profile
    assert "http" not in text.replace("https://www.w3.org", "")  # nothing is fetched


def test_a_template_chooses_sections(tmp_path: Path) -> None:
    text = _report(tmp_path / "r.html", _items(), template=TEMPLATES["short"]).read_text()
    assert "23.46" in text
    assert "ab" * 32 not in text


def test_the_pdf_report_is_a_pdf_of_some_sheets(tmp_path: Path) -> None:
    content = _report(tmp_path / "r.pdf", _items()).read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", content)) >= 2


def test_profiles_are_drawn_with_the_map_along_the_same_line() -> None:
    state, arrays = state_of(_items())
    params = Report("", state, ReportTemplate(sections=("profiles",)))
    section = content_of(subject_of(arrays, params), params).sections[0]
    assert "averaged over 6 nm" in section.blocks[0].caption  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "std", "unit", "texts"),
    [
        (23.456, 0.123, "nm", ("23.46", "0.12", "0.25", "nm")),
        (1234.5, 67.0, "nm", ("1.234", "0.067", "0.134", "µm")),
        (46.04, 0.21, "deg", ("46.04", "0.21", "0.42", "°")),
        (5.0, None, "nm", ("5", "–", "–", "nm")),
        (None, None, "nm", ("–", "–", "–", "nm")),
    ],
)
def test_numbers_end_where_their_uncertainty_ends(
    value: float | None, std: float | None, unit: str, texts: tuple[str, ...]
) -> None:
    assert written({"value": value, "std": std, "unit": unit}, 2.0) == texts


def test_a_figure_has_its_size_in_mm_at_its_resolution(tmp_path: Path) -> None:
    from PIL import Image

    made = _items()[1]
    assert isinstance(made, Run)
    path = tmp_path / "f.png"
    run_step(
        "figure", made.arrays, DrawFigure(str(path), pixel_size_nm=PIXEL_NM, width_mm=76.2, dpi=200), SilentContext()
    )
    with Image.open(path) as picture:
        height = Map(made.arrays["height"], PIXEL_NM).height_mm(76.2)
        assert height == pytest.approx((76.2 - COLOR_BAR_MM) * ROWS / COLUMNS)
        assert picture.size == (600, int(height / 25.4 * 200))
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_a_figure_is_a_vector_file_too(tmp_path: Path, suffix: str) -> None:
    made = _items()[1]
    assert isinstance(made, Run)
    path = tmp_path / f"f{suffix}"
    run_step("figure", made.arrays, DrawFigure(str(path), "height_std", pixel_size_nm=PIXEL_NM), SilentContext())
    assert path.read_bytes()[:5] in (b"%PDF-", b"<?xml")


def test_what_cannot_be_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match=r"'\.doc' is no kind of report"):
        _report(tmp_path / "r.doc", _items())
    with pytest.raises(EclipsError, match="nothing to report"):
        _report(tmp_path / "r.pdf", [])
    with pytest.raises(EclipsError, match="no reconstruction 'other'"):
        _report(tmp_path / "r.pdf", _items(), run_id="other")
    with pytest.raises(EclipsError, match="section 'sumary' is not known"):
        ReportTemplate(sections=("sumary",))
    kept = tmp_path / "kept.pdf"
    kept.write_bytes(b"mine")
    with pytest.raises(EclipsError, match="not overwritten"):
        _report(kept, _items(), keep_paths=(str(kept),))
    assert kept.read_bytes() == b"mine"


def test_templates_survive_json() -> None:
    from eclips_app.core import schema

    for template in TEMPLATES.values():
        assert schema.load(ReportTemplate, json.loads(json.dumps(schema.dump(template)))) == template


def test_every_parameter_of_every_step_can_be_told() -> None:
    made = _items()[1]
    assert isinstance(made, Run)
    told = dataclasses.replace(made, step="reconstruct-closed-loop", params=made.params | {"quality": "standard"})
    state, arrays = state_of([_items()[0], told])
    params = Report("", state, ReportTemplate(sections=("reconstruction", "provenance")))
    assert STEPS["report"].params is Report
    assert "standard" in page(content_of(subject_of(arrays, params), params))


def _comparison(**info: object) -> list[Item]:
    difference = np.linspace(-1.0, 1.0, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    values = {
        "Bias": {"value": 0.1234, "std": 0.021, "unit": "nm"},
        "Lower limit of agreement": {"value": -1.0, "std": 0.1, "unit": "nm"},
        "Upper limit of agreement": {"value": 1.2, "std": 0.1, "unit": "nm"},
    }
    facts = {
        "values": values,
        "sentences": [{"tone": "warning", "text": "Heights differ by more than stated."}],
        "histogram": {"edges_nm": [-1.0, 0.0, 1.0], "counts": [30, 40]},
        "by_slope": {"slope_deg": [2.0, 10.0, 20.0], "bias_nm": [0.1, 0.2, None], "std_nm": [0.01, 0.02, None]},
    }
    made = ("2026-01-02T03:04:05+00:00", {"pixel_size_nm": PIXEL_NM})
    return [*_items(), Comparison("c1", "Linear with AFM", "r1", "m1", *made, facts | info, {"difference": difference})]


def test_a_comparison_is_told_with_its_pictures_and_table(tmp_path: Path) -> None:
    alone = ReportTemplate(sections=("comparison",))
    text = _report(tmp_path / "r.html", _comparison(), template=alone).read_text()
    assert text.count("data:image/png;base64,") == 3  # difference, histogram, bias against slope
    for told in ("Linear with AFM", "0.123", "0.021", "0.042", "Heights differ by more than stated.", "Placed by hand"):
        assert told in text
    assert "placed or levelled anew" in text  # the comparison does not know this placement
    assert "as it is" not in text


def test_with_a_tip_both_values_stand_in_the_report(tmp_path: Path) -> None:
    before = {"Bias": {"value": 0.9876, "std": 0.03, "unit": "nm"}}
    items = _comparison(before=before, tip={"tip": "cone, radius 10 nm"})
    text = _report(tmp_path / "r.html", items, template=TEMPLATES["short"]).read_text()
    for told in ("0.988", "as it is", "dilated by the tip", "cone, radius 10 nm"):
        assert told in text
    assert (_report(tmp_path / "r.pdf", items).read_bytes()).startswith(b"%PDF-")


def test_without_a_comparison_the_report_has_no_such_section() -> None:
    state, arrays = state_of(_items())
    params = Report("", state)
    titles = [section.title for section in content_of(subject_of(arrays, params), params).sections]
    assert not any("Comparison" in title for title in titles)


def _faceted(crystal: Crystal | None = None) -> list[Item]:
    """A roof whose sides fall by 20 degrees to the left and right of a flat ridge, with its facets."""
    column = np.arange(120, dtype=np.float32)
    line = -np.tan(np.radians(20.0)) * PIXEL_NM * np.maximum(np.abs(column - 59.5) - 30.0, 0.0)
    heights = np.tile(line, (90, 1)) + np.random.default_rng(0).normal(0.0, 0.02, (90, 120))
    roof = HeightMap("m2", "Roof", heights, (PIXEL_NM, PIXEL_NM))
    params, inputs = facets.request(roof, FindFacets())
    made = facets.make_facet_set(roof, params, run_step("find-facets", inputs, params, SilentContext()), None)
    return [roof, made, *([CrystalItem("crystal", crystal)] if crystal else [])]


def test_the_report_tells_of_facets_and_what_they_may_be(tmp_path: Path) -> None:
    text = _report(tmp_path / "r.html", _faceted(Crystal()), template=ReportTemplate(sections=("facets",))).read_text()
    for told in ("Facets of", "Roof", "facet 1", "External angle", "In-plane azimuth", "none of these"):
        assert told in text
    assert text.count("data:image/png;base64,") == 1


def test_facets_without_a_crystal_have_no_candidates() -> None:
    state, arrays = state_of(_faceted())
    params = Report("", state, ReportTemplate(sections=("facets",)))
    (section,) = content_of(subject_of(arrays, params), params).sections
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert section.title == "Facets"
    assert [table.columns[0].title for table in tables] == ["Facet", "Facets"]
    reference, left, right = tables[0].rows
    assert reference[1:3] == ("–", "–")
    assert [round(float(row[1].rstrip("°")), 1) for row in (left, right)] == [20.0, 20.0]
    assert sorted(round(float(row[3].rstrip("°")) / 90) % 4 for row in (left, right)) == [0, 2]  # right and left
    assert [round(float(row[1].rstrip("°"))) for row in tables[1].rows] == [20, 20, 40]


def test_measurements_are_named_once_and_begin_with_a_capital() -> None:
    values = {"height": {"value": 3.0, "std": None, "unit": "nm"}, "area": {"value": 2.5e7, "std": 1e5, "unit": "nm²"}}
    state, arrays = state_of([*_items(), Measurement("x3", "Step", "Linear", "l1", "r1", values)])
    params = Report("", state, ReportTemplate(sections=("measurements",)))
    table = content_of(subject_of(arrays, params), params).sections[0].blocks[0]
    assert isinstance(table, Table)
    assert table.rows[-2:] == (
        ("Step", "Height", "3", "–", "–", "nm", "Linear"), ("", "Area", "25.00", "0.10", "0.20", "µm²", ""),
    )  # fmt: skip


def test_profiles_of_a_circle_run_around_it() -> None:
    ring = ProfileLine("l2", "Ring", (16.0, 12.0), (22.0, 12.0), kind="circle")
    state, arrays = state_of([*_items()[:2], ring])
    subject = subject_of(arrays, Report("", state))
    ((_, profile),) = pictures._curves(subject, ring)[0]
    assert profile.distance_nm[-1] == pytest.approx(2 * np.pi * 6.0 * PIXEL_NM, rel=0.04)
    assert np.ptp(profile.height_nm) == pytest.approx(12.0, abs=0.5)  # the ramp rises by 1 nm for each column


def test_a_map_alone_is_shown_true_to_its_pixels_with_its_lines() -> None:
    placed = HeightMap("m3", "AFM", np.zeros((10, 20)), (3.0, 6.0), center_px=(9.5, 9.5))
    state, arrays = state_of([placed, ProfileLine("l1", "Line 1", (0.0, 9.5), (19.0, 9.5))])
    params = Report("", state, ReportTemplate(sections=("summary", "maps", "profiles"), figure_width_mm=117.0))
    summary, maps, profiles = content_of(subject_of(arrays, params), params).sections
    assert ("Field", "60 nm x 60 nm, 20 x 10 px") in summary.blocks[0].rows  # type: ignore[union-attr]
    assert maps.blocks[0].height_mm == pytest.approx(100.0)  # type: ignore[union-attr]
    assert profiles.blocks[0].caption == "Line 1."  # type: ignore[union-attr]
