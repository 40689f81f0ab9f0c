from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from eclips_app.cli import bench, bench_accuracy
from eclips_app.cli.bench_accuracy import Case, height_error_nm, shared_cases
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError


def made(kind: str) -> Case:
    return next(case for case in bench_accuracy._own_cases() if case.name == f"own {kind}")


def test_rival_gets_what_it_needs_to_do_well() -> None:
    # On an indent, four even faces, sem2surface finds its directions; its scaled height must then be close.
    case = made("vickers")
    error, angle = bench_accuracy._rival_errors(case)
    assert error < 0.03 * np.std(case.height)
    assert angle < 2.0


def test_row_holds_one_value_for_each_column_and_our_error_is_small() -> None:
    case = made("vickers")
    row = dict(zip(bench_accuracy.COLUMNS, bench_accuracy._row(case), strict=True))
    assert row["rms_error_nm"] == pytest.approx(height_error_nm(case))
    assert row["rms_error_percent"] < 1.0
    assert row["scaled_rms_error_percent"] <= row["rms_error_percent"]
    assert row["ratio_to_linear_txt"] is None


def test_reference_values_are_read_by_case(tmp_path: Path) -> None:
    path = tmp_path / "LINEAR.txt"
    path.write_text("steps46   rmse   0.103 nm    0.39% of sd\nother   rmse  2.5 nm\n", encoding="utf-8")
    assert bench_accuracy._linear_values(path) == {"steps46": 0.103, "other": 2.5}
    path.write_text("steps46   rmse   none\n", encoding="utf-8")
    with pytest.raises(EclipsError, match="no number after 'rmse'"):
        bench_accuracy._linear_values(path)


def test_without_the_folder_there_are_no_shared_cases(tmp_path: Path) -> None:
    assert list(shared_cases(None)) == list(shared_cases(tmp_path)) == []


def test_reference_cases_stay_near_the_linear_reference(shared_data: Path) -> None:
    ratios = {case.name: height_error_nm(case) / case.linear_nm for case in shared_cases(shared_data) if case.linear_nm}
    assert len(ratios) >= 10
    # Three segments leave no choice to a linear method; the reference's slopes come out 0.35 % larger from the same file.
    assert ratios.pop("three_segments") < 1.15
    assert max(ratios.values()) < 1.1


def test_without_the_folder_the_own_cases_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = [made("vickers")]
    monkeypatch.setattr(bench_accuracy, "_own_cases", lambda: own)
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    found = bench.run(parser.parse_args(["accuracy", "--shared", str(tmp_path)]), SilentContext())
    assert [row["case"] for row in found["tables"][0]["rows"]] == ["own vickers"]
