"""The DSM's tables of `eclips bench surrogates` are those of the network that comes with the program."""

from __future__ import annotations

import pytest

from eclips_app.cli import bench_surrogates_dsm
from eclips_app.engine.surrogates import dsm_figures


def test_tables_of_the_shipped_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dsm_figures, "times", lambda *_: [{"model": "exact"}])
    made = [table.to_json() for table in bench_surrogates_dsm.tables({"none": []}, quick=True)]
    assert [table["title"] for table in made] == [
        "DSM of Annular 4 segments (typical): intensities", "DSM: times", "DSM: gradients",
    ]  # fmt: skip
    errors = {row["model"]: row["mean_percent"] for row in made[0]["rows"]}
    assert errors["dsm"] < 0.6 * errors["tangent plane only"]
    cosines = {(row["stage"], row["model"]): row["cosine_mean"] for row in made[2]["rows"]}
    assert all(cosines[stage, "dsm"] > cosines[stage, "tangent plane only"] for stage, _ in cosines)
