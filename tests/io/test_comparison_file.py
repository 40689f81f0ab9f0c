"""Comparisons with height maps are saved with the project and come back, and other programs find them by name."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from eclips_app.core.errors import EclipsError
from eclips_app.io import project_file
from eclips_app.model import snapshot
from eclips_app.model.items import Comparison, HeightMap
from eclips_app.model.project import Project

VALUES = {"Bias": {"value": 1.25, "std": 0.1, "unit": "nm"}}


def _project() -> Project:
    difference = np.linspace(-1.0, 1.0, 12, dtype=np.float32).reshape(3, 4)
    difference[0, 0] = np.nan
    arrays = {"difference": difference, "dilated": difference + 5, "certain": difference > 0}
    params = {"pixel_size_nm": 2.0, "tip": {"kind": "none"}}
    made = "2026-01-02T03:04:05+00:00"
    project = Project()
    items = [
        HeightMap("afm", "AFM", np.zeros((2, 2)), (3.0, 3.0)),
        Comparison("c1", "Linear with AFM", "r1", "afm", made, params, {"values": VALUES, "sentences": []}, arrays),
    ]
    project.apply({item.id: item for item in items})
    return project


def test_a_comparison_comes_back_with_its_arrays(tmp_path: Path) -> None:
    project = _project()
    before = project.get(Comparison, "c1")
    path = project_file.write_project(tmp_path / "a.eclips", *snapshot.to_state(project))
    (after,) = (i for i in snapshot.from_state(*project_file.read_project(path)).items if isinstance(i, Comparison))
    assert before is not None
    for name in ("id", "name", "run_id", "map_id", "created", "params", "info"):
        assert getattr(after, name) == getattr(before, name)
    assert list(after.arrays) == ["difference", "dilated", "certain"]
    for name, array in before.arrays.items():
        assert after.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(after.arrays[name], array)
        assert not after.arrays[name].flags.writeable


def test_other_programs_find_the_difference_with_unit_and_values(tmp_path: Path) -> None:
    path = project_file.write_project(tmp_path / "a.eclips", *snapshot.to_state(_project()))
    with h5py.File(path) as file:
        group = file["comparisons/c1"]
        assert group["difference"].attrs["unit"] == "nm"
        assert group["difference"].attrs["pixel_size_nm"] == 2.0
        assert "minus height map" in group["difference"].attrs["long_name"]
        assert json.loads(group.attrs["values"]) == VALUES
        assert group.attrs["map_id"] == "afm"


def test_a_comparison_without_one_of_its_arrays_is_refused() -> None:
    state, arrays = snapshot.to_state(_project())
    del arrays["comparisons/c1/difference"]
    with pytest.raises(EclipsError, match="difference' is missing"):
        snapshot.from_state(state, arrays)
