"""`eclips reconstruct --integrator` and `eclips bench integrators`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from eclips_app.cli import bench, bench_integrators
from eclips_app.core.context import SilentContext
from eclips_app.engine.integrators import METHODS, figures
from tests.cli.conftest import Case, Outcome, hill

Eclips = Callable[..., Outcome]


def reconstructed(eclips: Eclips, case: Case, integrator: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Give height, its standard deviation, and what the file says of the run."""
    path = str(case.folder / f"{integrator}.eclips")
    made = eclips(
        "reconstruct", *case.files, "--detector", case.detector, "--pixel-size", "5nm", "--no-scan-parallax",
        "--integrator", integrator, "-o", path,
    )  # fmt: skip
    assert made.status == 0, made.err
    with h5py.File(path) as file:
        found: dict[str, np.ndarray] = {}
        file.visititems(lambda name, item: found.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None)
        text = " ".join(str(value) for value in file.attrs.values())
    height, std = (next(v for k, v in found.items() if k.endswith(end)) for end in ("/height", "/height_std"))
    return height, std, text + str([v for v in found.values() if v.dtype.kind in "OS"])


@pytest.mark.parametrize("method", list(METHODS))
def test_reconstruct_with_each_integrator(eclips: Eclips, case: Case, method: str) -> None:
    height, std, text = reconstructed(eclips, case, method)
    truth = hill()
    assert np.std(height - truth) < 0.05 * np.ptp(truth)
    assert (std > 0).all()
    assert f'"integrator": "{method}"' in text or f'"integrator":"{method}"' in text


def test_unknown_integrator_is_refused(eclips: Eclips, case: Case) -> None:
    made = eclips("reconstruct", *case.files, "--detector", case.detector, "-o", "x.eclips", "--integrator", "path")
    assert made.status != 0
    assert "least-squares" in made.err


def test_bench_integrators_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_integrators, "NOISES_DEG", (0.0, 1.0))
    monkeypatch.setattr(
        bench_integrators, "measured_maps", lambda *_: [figures.surface("rough", 64).height, figures.surface("flat", 64).height]
    )  # fmt: skip
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    args = parser.parse_args(["integrators", "--quick", "--shared", str(tmp_path)])
    known, acceptance, maps = bench.run(args, SilentContext())["tables"]
    rows = {(row["surface"], row["noise deg"], row["method"]): row for row in known["rows"]}
    assert len(rows) == 3 * 2 * 4
    flat = rows["flat 96", 1.0, "least-squares"]
    assert flat["/Wiener"] > 1.1
    assert flat["accepted"] == "no"
    assert rows["stepped 96", 0.0, "bilateral"]["RMSE %"] > rows["stepped 96", 0.0, "least-squares"]["RMSE %"]
    assert all(rows[name]["facet deg"] is None for name in rows if not name[0].startswith("stepped"))
    assert {row["method"] for row in acceptance["rows"]} == set(METHODS)
    assert all(0 <= row["accepted"] <= row["cases"] == 6 for row in acceptance["rows"])
    assert len(maps["rows"]) == 2 * 4


def test_vase_is_turned_the_right_way(shared_data: Path) -> None:
    given = bench_integrators._vase(shared_data / "data" / "normals" / "vase.mat")
    assert given.mask is not None
    height, _ = figures.heights("least-squares", given, 0.0, 0)
    assert np.std((height - given.height)[given.mask]) < 0.01 * np.ptp(given.height)
