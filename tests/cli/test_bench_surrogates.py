"""`eclips bench surrogates`: which measured maps it takes, and that its tables are those of the weights shipped."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eclips_app.cli import bench, bench_surrogates
from eclips_app.core.context import SilentContext
from eclips_app.engine.surrogates import figures
from tests.cli.conftest import Outcome

Eclips = Callable[..., Outcome]


def test_measured_maps_are_cut_levelled_and_in_pixels(eclips: Eclips, tmp_path: Path) -> None:
    for name, size in (("large", "300x120"), ("small", "64x64")):
        made = eclips("surface", "rough", "--pixel-size", "4nm", "--size", size, "-o", tmp_path / f"{name}.tif")
        assert made.status == 0
    (tmp_path / "notes.txt").write_text("no map at all")
    (found,) = bench_surrogates.measured_maps(tmp_path, 5)
    assert found.shape == (120, 256)
    assert found.mean() == pytest.approx(0.0, abs=1e-6)
    assert np.polyfit(np.arange(256), found.mean(0), 1)[0] == pytest.approx(0.0, abs=1e-3)
    down, right = np.gradient(found)
    assert 0.1 < np.sqrt((down**2 + right**2).mean()) < 0.5  # slopes: 0.3, not 4 nm times as much
    assert bench_surrogates.measured_maps(tmp_path / "none", 5) == []


def test_tables_of_the_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small: errors of the shipped network are far below those of the tangent plane alone."""
    specimens, accuracy = figures.specimens, figures.accuracy
    monkeypatch.setattr(figures, "specimens", lambda count, size: specimens(2, 64))
    monkeypatch.setattr(figures, "defaults", lambda size: [])
    monkeypatch.setattr(figures, "accuracy", lambda net, learnt, sets: accuracy(net, learnt, {"few": specimens(2, 64)}))
    monkeypatch.setattr(figures, "times", lambda *_: [{"model": "exact"}])
    monkeypatch.setattr(figures, "optimiser_curves", lambda *_, **__: [{"training": "none"}])
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    args = parser.parse_args(["surrogates", "--quick", "--shared", str(tmp_path)])
    tables = bench.run(args, SilentContext())["tables"]
    assert [table["title"] for table in tables][:2] == [
        "Intensities against the exact model", "Horizons by the surface's inclination",
    ]  # fmt: skip
    errors = {row["model"]: row["mean_percent"] for row in tables[0]["rows"]}
    assert errors["vft"] < 0.5 * errors["tangent plane only"]
    cosines = {(r["stage"], r["model"]): r["cosine_mean"] for r in tables[3]["rows"]}
    assert all(cosines[s, "vft"] > cosines[s, "tangent plane only"] for s, _ in cosines)
