"""``eclips measure`` and ``eclips profile --shape``: shapes as texts, recipes, tables, failures in a batch."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from eclips_app.cli.shape_texts import parse_shape, parse_stretch
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import KINDS
from eclips_app.core.schema import dump
from eclips_app.core.steps import ClosedLoop, Reconstruct
from eclips_app.io.project_file import write_project
from eclips_app.model import snapshot
from eclips_app.model.items import HeightMap, Run, SegmentImage, SegmentSet

SIZE_NM = 4.0
R, C = np.mgrid[:60, :120].astype(np.float32)
STEP = np.where(C < 60, 0.0, 22.0).astype(np.float32)
LINE = "line:5,30:115,30:width=9"
STRETCHES = ("--stretch", "10nm:180nm", "--stretch", "260nm:430nm")


def run_of(run_id: str, name: str, height: Any, **arrays: Any) -> Run:
    segments = tuple(Segment(letter, 90.0 * k, 86.0, 1.0, 0.0) for k, letter in enumerate("ENWS"))
    params = dump((ClosedLoop if arrays else Reconstruct)(Detector(quadrants=segments), SIZE_NM))
    info = {"software": "test"}
    if arrays:
        info |= {"deviation_parts": [["noise", "draw 1"], ["geometry", "distance_mm"]], "not_stated": ["gains"]}
    step = "reconstruct-closed-loop" if arrays else "reconstruct-linear"
    return Run(run_id, name, "s", step, 1, params, {"height": height, **arrays}, info, (), "2026-01-01T00:00:00Z", 1.0)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A step of 22 nm with deviations, a flat, and an AFM map of the same step at half the pixel size."""
    maps = np.stack([np.where(C < 60, 0.0, 0.1), 0.03 * STEP / SIZE_NM]).astype(np.float16)
    images = tuple(SegmentImage(name, np.ones(STEP.shape, np.uint16)) for name in "ENWS")
    fine = np.repeat(np.repeat(STEP, 2, axis=0), 2, axis=1)
    afm = HeightMap("a", "AFM", fine, (2.0, 2.0), center_px=(59.5, 29.5), z_offset_nm=3.0)
    items = [
        SegmentSet("s", "Scan", images, SIZE_NM), run_of("f", "Flat", 0 * STEP), run_of("r", "Step", STEP, deviations=maps), afm,
    ]  # fmt: skip
    state, arrays = snapshot.state_of(items)
    path = tmp_path / "step.eclips"
    write_project(path, state, arrays)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "step.npy"
    np.save(path, STEP)
    return path


def test_list_tells_every_kind(eclips: Callable[..., Any]) -> None:
    found = eclips("measure", "--list", "--json").json["kinds"]
    assert [kind["key"] for kind in found] == list(KINDS)
    text = eclips("measure", "--list").out
    assert "roughness-area: Areal roughness (ISO 25178-2:2021, ISO 16610)" in text
    assert "--set top_percent=90.0: Top at, 50 to 99.9 %" in text


def test_a_step_of_a_run_with_its_budget(eclips: Callable[..., Any], project: Path) -> None:
    outcome = eclips("measure", project, "--kind", "step", "--on", LINE, *STRETCHES, "--json")
    (found,) = outcome.json["measurements"]
    height = found["values"]["height"]
    assert height["value"] == pytest.approx(22)
    assert height["std"] == pytest.approx(np.hypot(0.4, 0.66), rel=1e-2)
    assert {share["part"] for share in height["budget"]} == {"noise", "geometry"}
    assert found["source"] == "Step"
    assert found["not_stated"] == ["gains"]
    text = eclips("measure", project, "--kind", "step", "--on", LINE, *STRETCHES).out
    assert "height                    (22 ± 0.77) nm" in text
    assert "noise 27 %, geometry 73 %" in text
    assert "not stated: gains" in text


def test_lengths_and_pixels_are_the_same(eclips: Callable[..., Any], project: Path) -> None:
    in_nm = "line:20nm,120nm:0.46um,120nm:width=36nm"
    both = [
        eclips("measure", project, "--kind", "step", "--on", on, *STRETCHES, "--json").json["measurements"][0]["values"]
        for on in (LINE, in_nm)
    ]
    assert both[0]["height"]["value"] == pytest.approx(both[1]["height"]["value"])


def test_a_placed_map_is_measured_under_the_same_line(eclips: Callable[..., Any], project: Path) -> None:
    outcome = eclips("measure", project, "--run", "AFM", "--kind", "step", "--on", LINE, *STRETCHES, "--json")
    (found,) = outcome.json["measurements"]
    assert found["source"] == "AFM"
    assert found["values"]["height"]["value"] == pytest.approx(22)
    level = eclips("measure", project, "--run", "AFM", "--kind", "plane", "--on", "rectangle:5,5:40,50", "--json").json
    assert level["measurements"][0]["values"]["level"]["value"] == pytest.approx(3.0)


def test_several_shapes_of_a_kind_that_takes_one(eclips: Callable[..., Any], project: Path) -> None:
    found = eclips(
        "measure", project, "--kind", "plane", "--on", "rectangle:5,5:40,50", "--on", "rectangle:70,5:110,50", "--json"
    ).json["measurements"]
    assert [each["values"]["level"]["value"] for each in found] == pytest.approx([0, 22])
    (both,) = eclips(
        "measure",
        project,
        "--kind",
        "plane-angle",
        "--on",
        "rectangle:5,5:40,50",
        "--on",
        "rectangle:70,5:110,50",
        "--json",
    ).json["measurements"]
    assert both["values"]["step"]["value"] == pytest.approx(22)


def test_a_height_file_with_options(eclips: Callable[..., Any], file: Path) -> None:
    given = ("--pixel-size", "4nm,4nm", "--unit", "nm")
    (found,) = eclips(
        "measure", file, *given, "--kind", "volume", "--set", "reference=level", "--set", "level_nm=12nm", "--json"
    ).json["measurements"]
    assert found["values"]["volume above"]["value"] == pytest.approx(60 * 60 * 16 * 10)
    wrong = eclips("measure", file, *given, "--kind", "volume", "--set", "level=3")
    assert wrong.status == 1
    assert "options: reference, level_nm, rim_px" in wrong.err


def test_a_recipe_on_several_inputs_as_tables(
    eclips: Callable[..., Any], project: Path, file: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps([
        {"kind": "step", "name": "=Step", "on": [LINE], "stretches": ["10nm:180nm", "260nm:430nm"]},
        {"kind": "roughness-area", "on": ["rectangle:70,5:110,50"]},
    ]))  # fmt: skip
    for suffix in ("csv", "xlsx"):
        table = tmp_path / f"table.{suffix}"
        outcome = eclips(
            "measure",
            project,
            file,
            "--recipe",
            recipe,
            "-o",
            table,
            "--pixel-size",
            "4nm,4nm",
            "--unit",
            "nm",
            "--json",
        )
        found = outcome.json["measurements"]
        assert [each["problem"] != "" for each in found] == [False, True, False, True]  # a level has no roughness
        assert outcome.status == 1
        if suffix == "csv":
            rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
        else:
            lines = list(openpyxl.load_workbook(table).active.values)
            rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
        heights = [row for row in rows if row["quantity"] == "height"]
        assert [float(row["value"]) for row in heights] == pytest.approx([22, 22])
        assert heights[0]["measurement"] == "=Step"
        assert "geometry 73 %" in heights[0]["budget"]
        assert sum("no roughness" in str(row["notes"]) for row in rows) == 2


def test_curves_are_written(eclips: Callable[..., Any], project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "curves"
    (found,) = eclips(
        "measure", project, "--kind", "spectrum-profile", "--on", "line:0,30:119,30", "--curves", folder, "--json"
    ).json["measurements"]
    assert len(found["curves"]) == 2
    density = np.loadtxt(folder / "step-1-spectrum-profile-psd.csv", delimiter=",")
    assert density.shape[1] == 2
    assert (np.diff(density[:, 0]) > 0).all()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--kind", "step", "--on", LINE], "needs 2 stretches"),
        (["--on", LINE], "either --kind or --recipe"),
        (["--kind", "slope", "--on", "lin:1,2:3,4"], "is no shape"),
        (["--kind", "slope", "--on", "line:1,2"], "a line of 1 points"),
        (["--kind", "slope", "--on", "line:1:3,4"], "is no point"),
        (["--kind", "slope", "--on", LINE, "--stretch", "5"], "is no stretch"),
        (["--kind", "slope", "--on", LINE, "--run", "Nothing"], "no reconstruction is called 'Nothing'"),
        (["--kind", "slope", "--on", LINE, "-o", "table.txt"], "written as .csv or .xlsx"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    eclips: Callable[..., Any], project: Path, argv: list[str], words: str
) -> None:
    outcome = eclips("measure", project, *argv)
    assert outcome.status == 1
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_recipe_that_is_none(eclips: Callable[..., Any], project: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    for text, words in (("[{}]", "key 'kind' is missing"), ("{}", "a list of measurements"), ("[", "cannot be read")):
        recipe.write_text(text)
        outcome = eclips("measure", project, "--recipe", recipe)
        assert outcome.status == 1
        assert words in outcome.err


def test_a_profile_along_a_circle(eclips: Callable[..., Any], project: Path) -> None:
    found = eclips("profile", project, "--shape", "circle:60,30:80,30:width=3", "--step", "8nm", "--json").json
    assert found["shape"] == "circle"
    assert found["length"]["value"] == pytest.approx(2 * np.pi * 20 * SIZE_NM)
    assert found["height_nm"][0] == pytest.approx(22)
    assert min(found["height_nm"]) == pytest.approx(0)
    assert np.diff(found["distance_nm"]) == pytest.approx(8, rel=0.05)


def test_texts_of_shapes() -> None:
    shape = parse_shape("polyline:1,2:3um,4:5.5,6e1:width=0.1um", (10.0, 10.0))
    assert (shape.kind, shape.points_px, shape.width_px) == ("polyline", ((1, 2), (300, 4), (5.5, 60)), 10)
    assert parse_stretch("-5nm:0.2um") == (-5, 200)
    with pytest.raises(EclipsError, match="not a length"):
        parse_stretch("5:10")
