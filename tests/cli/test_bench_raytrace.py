from __future__ import annotations

import argparse

import pytest

from eclips_app.cli import bench, bench_raytrace
from eclips_app.core.context import SilentContext


def test_bench_raytrace_shows_agreement_to_the_sampling_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_raytrace, "SURFACES", ("particles", "spiral"))
    monkeypatch.setattr(bench_raytrace, "PIXELS", 32)
    monkeypatch.setattr(bench_raytrace, "RAYS", 300)
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    (table,) = bench.run(parser.parse_args(["raytrace"]), SilentContext())["tables"]
    assert [row["surface"] for row in table["rows"]] == ["particles"] * 2 + ["spiral"] * 2
    for row in table["rows"]:
        assert abs(row["mean_difference"]) < 4 * row["standard_error"]
        assert row["chi2_per_pixel"] == pytest.approx(1.0, abs=0.15)
        assert row["electrons_per_s"] > 1e4
