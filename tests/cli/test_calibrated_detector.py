"""Commands with a detector file that holds a calibration: its emission is the default, its conditions are compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile

from eclips_app.io.project_file import read_project
from eclips_app.model.items import Run
from eclips_app.model.snapshot import from_state
from tests.cli.conftest import DETECTOR, Case, Outcome, hill

Eclips = Callable[..., Outcome]
PARAMETRIC = {"model": "parametric", "material": "W", "coefficients": [0.3, 0.0, 0.1, 0.2, 0.0, 0.1]}
QUICK = ("--method", "closed-loop", "--azimuths", "8", "--draws", "2", "--steps", "1")


@pytest.fixture
def calibrated(case: Case) -> Case:
    """The case with a calibration in its detector file."""
    calibration = {"emission": PARAMETRIC, "acquisition": {"energy_kev": 10.0, "working_distance_mm": 9.0}}
    Path(case.detector).write_text(json.dumps({**DETECTOR.to_json(), "calibration": calibration}))
    return case


def run_of(path: Path) -> Run:
    (run,) = (item for item in from_state(*read_project(path)).items if isinstance(item, Run))
    return run


def reconstruct(eclips: Eclips, case: Case, *more: object) -> tuple[Outcome, Path]:
    path = case.folder / "out.eclips"
    given = (*case.files, "--detector", case.detector, "--pixel-size", "5nm", "-o", path)
    return eclips("reconstruct", *given, *more), path


def test_a_fit_takes_the_emission_of_the_calibration(eclips: Eclips, calibrated: Case) -> None:
    outcome, path = reconstruct(eclips, calibrated, *QUICK)
    assert outcome.status == 0, outcome.err
    assert run_of(path).params["emission"] == PARAMETRIC


def test_the_linear_method_is_not_refused_for_it(eclips: Eclips, calibrated: Case) -> None:
    assert reconstruct(eclips, calibrated)[0].status == 0
    refused, _ = reconstruct(eclips, calibrated, "--emission", "tabulated")
    assert "belongs to the method closed-loop" in refused.err


def test_a_simulation_takes_it_too_unless_told_otherwise(eclips: Eclips, calibrated: Case) -> None:
    tifffile.imwrite(calibrated.folder / "height.tif", hill().astype("float32"))
    given = (
        calibrated.folder / "height.tif",
        "--pixel-size",
        "5nm",
        "--detector",
        calibrated.detector,
        "--azimuths",
        "8",
        "--json",
    )
    assert eclips("simulate", *given, "-o", calibrated.folder / "a.tif").json["emission"] == "parametric"
    other = eclips("simulate", *given, "--emission", "lambert", "-o", calibrated.folder / "b.tif")
    assert other.json["emission"] == "lambert"
    assert (calibrated.folder / "a.tif").read_bytes() != (calibrated.folder / "b.tif").read_bytes()


def test_a_bad_emission_in_the_file_names_its_key(eclips: Eclips, case: Case) -> None:
    content = {**DETECTOR.to_json(), "calibration": {"emission": {"model": "parametric", "coefficients": [1.0]}}}
    Path(case.detector).write_text(json.dumps(content))
    outcome, _ = reconstruct(eclips, case, *QUICK)
    assert outcome.status == 1
    assert "calibration.emission.coefficients" in outcome.err


def test_images_under_other_conditions_are_told(
    eclips: Eclips, calibrated: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(_: Any) -> dict[str, Any]:
        return {"energy_kev": 5.0, "working_distance_mm": 9.5}

    for command in ("reconstruct", "check_calibration"):
        monkeypatch.setattr(f"eclips_app.cli.{command}.acquisition_of", elsewhere)
    outcome, _ = reconstruct(eclips, calibrated)
    assert outcome.status == 0
    assert "warning: The beam energy is 5 keV" in outcome.err
    assert "0.5 mm more" in outcome.err
    told = eclips(
        "check-calibration", *calibrated.files, "--detector", calibrated.detector, "--pixel-size", "5nm", "--json"
    )
    assert [each["check"] for each in told.json["findings"]][:2] == ["conditions", "conditions"]


def test_the_right_detector_passes_and_a_wrong_order_fails(eclips: Eclips, case: Case) -> None:
    given = ("--detector", case.detector, "--pixel-size", "5nm")
    passed = eclips("check-calibration", *case.files, *given)
    assert passed.status == 0, passed.err
    assert passed.out.startswith("Nothing")
    failed = eclips("check-calibration", *[case.files[i] for i in (1, 0, 2, 3)], *given)
    assert failed.status == 1
    assert "cannot be right" in failed.out.splitlines()[0]
    assert "E and N" in failed.out
