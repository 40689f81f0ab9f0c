"""`eclips facets` and the benchmark of facets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from eclips_app.cli import bench_facets
from eclips_app.cli.bench_facets import frustum
from eclips_app.core.context import SilentContext
from tests.cli.conftest import Case, Outcome

Eclips = Callable[..., Outcome]


@pytest.fixture(scope="module")
def heights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frustum of 45 degrees on a flat top, 25 degrees turned, with a little noise."""
    path = tmp_path_factory.mktemp("facets") / "frustum.tif"
    height = frustum(45.0, 25.0) + np.random.default_rng(0).normal(0, 0.2, (161, 161))
    tifffile.imwrite(path, height.astype(np.float32))
    return path


def test_facets_of_a_height_map_are_told_with_planes_and_angles(eclips: Eclips, heights: Path) -> None:
    outcome = eclips(
        "facets", heights, "--unit", "nm", "--pixel-size", "2nm", "--crystal", "Cu", "--top", "100", "--json"
    )
    assert outcome.status == 0
    told = outcome.json
    reference = told["reference"]
    assert isinstance(reference, int)
    flat = next(row for row in told["facets"] if row["number"] == reference)
    assert "slope" not in flat
    outcome = eclips(
        "facets", heights, "--unit", "nm", "--pixel-size", "2nm", "--crystal", "Cu", "--reference", "image", "--json"
    )
    rows = outcome.json["facets"]
    steep = [row for row in rows if row["slope"]["value"] > 20]
    assert len(steep) == 4
    for row in steep:
        assert row["slope"]["unit"] == "deg"
        assert row["slope"]["value"] == pytest.approx(45.0, abs=5 * row["slope"]["std"])
        assert row["slope"]["budget"][0]["part"] == "scatter"
        assert (row["fall_azimuth"]["value"] - 25.0 + 45.0) % 90.0 == pytest.approx(45.0, abs=0.3)
    assert len(outcome.json["angles"]) == 10
    assert "noise" in outcome.json["not_stated"]
    crystal = outcome.json["crystal"]
    assert crystal["top"][0]["hkl"] == [1, 0, 0]
    best = crystal["candidates"][str(steep[0]["number"])]
    assert best[0]["hkl"] == [1, 1, 0]
    assert sum(each["probability"] for each in best) == pytest.approx(1.0)
    assert {"slope", "slope_k_sigma", "chi2", "k_sigma"} <= set(best[0])


def test_the_words_name_facets_angles_and_planes(eclips: Eclips, heights: Path) -> None:
    out = eclips("facets", heights, "--unit", "nm", "--pixel-size", "2nm", "--crystal", "Cu", "--reference", "mean").out
    assert "Reference: mean plane" in out
    assert "Angles between normals" in out
    assert "{110}" in out
    assert "not stated: noise" in out


def test_a_crystal_comes_from_a_file(eclips: Eclips, heights: Path, tmp_path: Path) -> None:
    lattice = {"name": "Ag", "a_nm": 0.4086, "b_nm": 0.4086, "c_nm": 0.4086, "layers": "F"}
    path = tmp_path / "silver.json"
    path.write_text(json.dumps({"lattice": lattice, "top": [1, 0, 0], "prior_power": 0.5}), encoding="utf-8")
    told = eclips("facets", heights, "--unit", "nm", "--pixel-size", "2nm", "--crystal", path, "--json").json
    assert told["crystal"]["name"] == "Ag"
    path.write_text('{"lattice": {"a_nm": -1}}', encoding="utf-8")
    outcome = eclips("facets", heights, "--unit", "nm", "--pixel-size", "2nm", "--crystal", path)
    assert outcome.status == 1
    assert "a_nm" in outcome.err
    path.write_text("no json", encoding="utf-8")
    assert "no JSON" in eclips("facets", heights, "--unit", "nm", "--pixel-size", "2nm", "--crystal", path).err


def test_facets_of_a_project(eclips: Eclips, case: Case, tmp_path: Path) -> None:
    project = tmp_path / "out.eclips"
    eclips("reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o", project)
    outcome = eclips("facets", project, "--tolerance", "10", "--json")
    assert outcome.status == 0
    assert outcome.json["facets"][0]["area"]["unit"] == "nm²"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--top", "100"], "needs a crystal"),
        (["--crystal", "Unobtainium"], "neither a known crystal nor a file"),
        (["--crystal", "Cu", "--top", "nonsense"], "is no plane"),
        (["--reference", "99"], "there is no facet '99'"),
        (["--min-area", "3"], "least_area_px"),
        (["--min-area", "some"], "'some' is no whole number"),
        (["--min-area", "25000"], "no facet was found"),
    ],
)
def test_what_cannot_be_is_told(eclips: Eclips, heights: Path, argv: list[str], words: str) -> None:
    outcome = eclips("facets", heights, "--unit", "nm", "--pixel-size", "2nm", *argv)
    assert outcome.status == 1
    assert words in outcome.err


def test_heights_of_no_stated_unit_are_not_guessed_at(eclips: Eclips, heights: Path) -> None:
    assert "does not say the unit" in eclips("facets", heights, "--pixel-size", "2nm").err


def test_the_benchmark_measures_known_bodies() -> None:
    table, cases = bench_facets.tables(None, SilentContext(), quick=True)
    assert not cases.rows
    rows = table.to_json()["rows"]
    clean = [row for row in rows if row["noise_nm"] == 0]
    assert all(row["largest_error_deg"] < 0.02 for row in clean)
    assert all(row["facets"] == 8 for row in clean)
