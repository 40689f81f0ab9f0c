"""`eclips emission` and `eclips bench emission` through their arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eclips_app.cli import bench_emission
from eclips_app.engine.emission import tables
from tests.cli.conftest import Outcome

Eclips = Callable[..., Outcome]
FEW = ("--energies", "8,12", "--tilts", "0,40", "--histories", "500")


def test_shipped_tables_are_listed(eclips: Eclips) -> None:
    listed = eclips("emission", "--list", "--json").json["tables"]
    assert {"Cu", "Cu2O", "Au"} <= {each["material"] for each in listed}
    copper = next(each for each in listed if each["material"] == "Cu")
    assert copper["yield"] == pytest.approx(0.32, abs=0.02)
    assert "median exit radius" in eclips("emission", "--list").out


def test_table_of_a_compound_is_computed_and_the_same_twice(eclips: Eclips, tmp_path: Path) -> None:
    paths = [tmp_path / "one.npz", tmp_path / "two.npz"]
    for path in paths:
        done = eclips("emission", "TiO2", *FEW, "--seed", 5, "-o", path, "--json")
        assert done.status == 0
        assert done.json["energies_kev"] == [8.0, 12.0]
        assert 0.1 < done.json["yield"] < 0.3
    one, two = (tables.read_table(str(path)) for path in paths)
    assert one.meta["density_g_cm3"] == 4.23
    for name, values in one.arrays().items():
        assert (values == two.arrays()[name]).all()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("Xy", "-o", "a.npz"), "no element 'Xy'"),
        (("CuZn", "-o", "a.npz"), "--density"),
        (("Cu", "-o", "a.txt"), ".npz"),
        (("Cu",), "output file"),
        (("Cu", "--energies", "5,60", "-o", "a.npz"), "0.5 to 40 keV"),
        (("Cu", "--tilts", "5,10", "-o", "a.npz"), "from 0 degrees"),
        (("Cu", "--density", "-1", "-o", "a.npz"), "out of range"),
    ],
)
def test_wrong_requests_fail_in_one_line(
    eclips: Eclips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = eclips("emission", *argv)
    assert done.status == 1
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_bench_compares_with_what_is_published(eclips: Eclips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_emission, "_MORE", ("Mo",))
    yields, tilts, angles, gains, radii = eclips("bench", "emission", "--quick", "--json").json["tables"]
    found = {(row["element"], row["energy_keV"]): row for row in yields["rows"]}
    assert found["Au", 20.0]["Heinrich"] == 0.506
    assert abs(found["Cu", 10.0]["deviation_percent"]) < 6
    assert abs(found["Mo", 10.0]["deviation_percent"]) < 8
    assert found["Al", 10.0]["others"] == "0.150–0.177"
    copper = [row for row in tilts["rows"] if row["element"] == "Cu" and row["tilt_deg"] <= 60]
    assert all(abs(row["to_Drescher_percent"]) < 6 and abs(row["rise_to_Arnal_percent"]) < 6 for row in copper)
    assert angles["rows"][2]["mean_cosine_0deg"] == pytest.approx(0.69, abs=0.015)
    assert {row["slope_deg"]: row for row in gains["rows"]}[20]["Cu"] == pytest.approx(0.92, abs=0.03)
    assert len(radii["rows"]) == 6
