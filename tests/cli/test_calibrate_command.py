"""`eclips calibrate`: observations and parameters from the command line, and what it writes. The fit itself is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from eclips_app.cli import calibrate
from eclips_app.core.calibration import Calibrate, parameter_names, unit_of
from eclips_app.core.context import Context
from eclips_app.core.detector import read_detector
from eclips_app.core.steps import StepResult
from eclips_app.io.export.stack import write_segments
from tests.cli.conftest import DETECTOR, Case, Outcome, hill

Eclips = Callable[..., Outcome]


class FakeFit:
    """Stands in for the step, notes what it was given, and calibrates the distance to 8.5 mm."""

    def __init__(self) -> None:
        self.inputs: dict[str, NDArray[Any]] = {}
        self.params = Calibrate()
        self.calls = 0

    def __call__(self, step: str, inputs: dict[str, NDArray[Any]], params: Calibrate, context: Context) -> StepResult:
        assert step == "calibrate"
        self.inputs, self.params, self.calls = inputs, params, self.calls + 1
        parameters = [
            {
                "name": each.name, "unit": unit_of(each.name), "mode": each.mode, "start": 8.0, "prior_std": each.std,
                "value": 8.5, "std": 0.05 if each.mode == "free" else None, "source": "fit", "at_limit": False,
            }
            for each in params.parameters
        ]  # fmt: skip
        observations = [
            {
                "name": o.name,
                "kind": o.kind,
                "text": f"{o.name} was used.",
                "chi2": 1.1,
                "residual_percent": 2.0,
                "sources": [{"path": p, "sha256": d} for p, d in zip(o.sources, o.sha256, strict=True)],
            }
            for o in params.observations
        ]
        calibration = {
            "method": "least squares", "name": params.name, "program": "ECLIPS", "parameters": ["distance_mm"],
            "covariance": [[0.0025]], "values": parameters, "observations": observations, "warnings": ["Too little."],
        }  # fmt: skip
        detector = {**params.detector.to_json(), "distance_mm": 8.5, "calibration": calibration}
        info = {
            "detector": detector, "parameters": parameters, "free": ["distance_mm"], "observations": observations,
            "chi2": 1234.0, "degrees_of_freedom": 1200, "model_error_percent": 0.5, "warnings": ["Too little."],
        }  # fmt: skip
        return StepResult({}, info)


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> FakeFit:
    fake = FakeFit()
    monkeypatch.setattr(calibrate, "run_step", fake)
    return fake


@pytest.fixture
def sized(case: Case, images: NDArray[Any]) -> str:
    """A stack that says its pixel size."""
    path = case.folder / "sized.tif"
    write_segments(path, images, 5.0, "ENWS")
    return str(path)


def argv(case: Case, *more: object) -> list[object]:
    return ["calibrate", *more, "--start", case.detector, "-o", case.folder / "new.json"]


def test_the_calibrated_detector_is_written_and_told(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    outcome = eclips(
        *argv(case, "--sphere", sized, "--radius", "230nm", "--flat", *case.files, "--pixel-size", "5nm", "--json")
    )
    assert outcome.status == 0, outcome.err
    new = read_detector(case.folder / "new.json")
    assert new.distance_mm == 8.5
    assert new.calibration is not None
    assert new.calibration["date"].startswith("20")
    assert [len(record["sources"]) for record in new.calibration["observations"]] == [1, 4]
    assert len(new.calibration["observations"][0]["sources"][0]["sha256"]) == 64
    assert outcome.json["detector"] == str(case.folder / "new.json")
    assert outcome.json["chi2"] == 1234.0
    assert outcome.json["warnings"] == ["Too little."]
    assert "warning: Too little." in outcome.err
    sphere, flat = fit.params.observations
    assert (sphere.kind, flat.kind) == ("sphere", "flat")
    assert sphere.sphere is not None
    assert sphere.sphere.radius_nm == 230.0
    assert (sphere.pixel_size_nm, flat.pixel_size_nm) == (5.0, 5.0)
    assert fit.inputs["segments/0"].shape == fit.inputs["segments/1"].shape == (4, 60, 80)


def test_the_text_has_a_row_for_each_free_parameter(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    told = eclips(*argv(case, "--vickers", sized, "--free", "distance_mm"))
    assert told.status == 0, told.err
    rows = [line.split() for line in told.out.splitlines() if line.startswith(("distance_mm", "gain:"))]
    assert [row[0] for row in rows] == ["distance_mm", "gain:E", "gain:N", "gain:W", "gain:S"]
    assert rows[0][1:5] == ["8", "8.5", "0.05", "mm"]
    assert "was used." in told.out
    assert "chi-square 1.03 for each degree of freedom" in told.out
    assert "errs by 0.5 %" in told.out


def test_parameters_are_the_defaults_and_the_changes(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    more = ("--free", "geometry=0.1", "--fix", "azimuth_deg=2", "--prior", "offsets=100+-5", "--free", "gains=inf")
    assert eclips(*argv(case, "--vickers", sized, *more)).status == 0
    chosen = {each.name: (each.mode, each.value, each.std) for each in fit.params.parameters}
    assert set(chosen) == set(parameter_names(DETECTOR))
    assert chosen["distance_mm"] == ("free", None, 0.1)
    assert chosen["azimuth_deg"] == ("fixed", 2.0, 0.1)
    assert chosen["offset:W"] == ("free", 100.0, 5.0)
    assert chosen["gain:S"] == ("free", None, None)
    assert chosen["emission:peak"][0] == "fixed"
    assert fit.params.emission.model == "parametric"
    eclips(*argv(case, "--sphere", sized, "--emission", "tabulated", "--material", "W", "--grey-per-electron", "2"))
    assert {each.name: each.mode for each in fit.params.parameters}["emission:peak"] == "free"
    assert (fit.params.emission.model, fit.params.emission.material) == ("tabulated", "W")
    assert fit.params.grey_per_electron == 2.0


def test_series_share_their_name(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    tilts = ("--tilt-series", f"{sized}@0", *case.files[:3], f"{case.files[3]}@-5,1")
    more = (*tilts, "--current-series", f"{sized}@0.5", f"{sized}@2")
    outcome = eclips(*argv(case, *more, "--pixel-size", "5nm", "--stage-std", "0.3"))
    assert outcome.status == 0, outcome.err
    flat, tilted, low, high = fit.params.observations
    assert (flat.tilt_deg, tilted.tilt_deg) == ((0.0, 0.0), (-5.0, 1.0))
    assert flat.series == tilted.series != low.series == high.series != ""
    assert tilted.tilt_std_deg == 0.3
    assert (low.current, high.current, flat.current) == (0.5, 2.0, None)
    assert len({each.name for each in fit.params.observations}) == 4


def test_an_afm_map_is_put_on_the_pixels_of_the_images(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    np.save(case.folder / "map.npy", hill()[10:50, 20:60])  # centre at column 39.5, row 29.5
    outcome = eclips(*argv(case, "--afm", case.folder / "map.npy", sized))
    assert outcome.status == 0, outcome.err
    heights = fit.inputs["heights/0"]
    assert heights.shape == (60, 80)
    assert np.isnan(heights[0, 0])
    np.testing.assert_allclose(heights[30, 30:50], hill()[30, 30:50], atol=1e-6)
    (record,) = read_detector(case.folder / "new.json").calibration["observations"]  # type: ignore[index]
    assert [Path(each["path"]).name for each in record["sources"]] == ["sized.tif", "map.npy"]
    eclips(*argv(case, "--afm", case.folder / "map.npy", sized, "--afm-at", "49.5,29.5,180"))
    np.testing.assert_allclose(fit.inputs["heights/0"][29, 59:39:-1], hill()[30, 30:50], atol=1e-6)


def test_dark_frames_need_no_pixel_size(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    dark = np.random.default_rng(1).poisson(100.0, (4, 60, 80)).astype(np.uint16)
    tifffile.imwrite(case.folder / "dark.tif", dark, photometric="minisblack")
    outcome = eclips(*argv(case, "--flat", sized, "--dark", case.folder / "dark.tif"))
    assert outcome.status == 0, outcome.err
    assert {each.name: each.mode for each in fit.params.parameters}["offset:E"] == "free"


def test_the_certificate_is_written_with_it_and_later(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    paper = case.folder / "certificate.pdf"
    outcome = eclips(*argv(case, "--flat", sized, "--certificate", paper))
    assert outcome.status == 0, outcome.err
    first = paper.read_bytes()
    assert first.startswith(b"%PDF")
    later = eclips("calibrate", "--certificate-of", case.folder / "new.json", "-o", case.folder / "later.pdf")
    assert later.status == 0, later.err
    assert (case.folder / "later.pdf").read_bytes() == first
    assert fit.calls == 1
    assert eclips("calibrate", "--certificate-of", case.detector, "-o", case.folder / "none.pdf").status == 1
    assert not (case.folder / "none.pdf").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "no observation"),
        (("--dark", "sized.tif"), "dark frames alone"),
        (("--flat", "E.tif", "N.tif", "W.tif"), "3 images for a detector of 4 segments"),
        (("--flat", "stack.tif"), "pixel size"),
        (("--flat", "sized.tif", "--free", "distance"), "no parameter 'distance'"),
        (("--flat", "sized.tif", "--fix", "gains"), "no parameter is free"),
        (("--radius", "230nm", "--flat", "sized.tif"), "--radius belongs to --sphere"),
        (("--sphere", "sized.tif", "--radius", "2nm", "--radius", "3nm"), "2 radii for 1 spheres"),
        (("--tilt-series", "sized.tif@0", "stack.tif"), "has no number"),
        (("--current-series", "sized.tif@0"), "above zero"),
        (("--afm", "sized.tif"), "images beside the map"),
        (("--flat", "missing.tif"), "missing.tif"),
        (("--sphere", "sized.tif", "--radius-std", "90"), "radius_std_percent"),
        (("--flat", "sized.tif", "--certificate", "new.json"), "one name"),
        (("--flat", "sized.tif", "--certificate", "sized.tif"), "input"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    eclips: Eclips,
    case: Case,
    sized: str,
    fit: FakeFit,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(case.folder)
    outcome = eclips("calibrate", *more, "--start", "detector.json", "-o", "new.json")
    assert outcome.status == 1
    (line,) = [line for line in outcome.err.splitlines() if not line.startswith("eclips: warning")]
    assert words in line
    assert not (case.folder / "new.json").exists()
    assert fit.calls == 0


@pytest.mark.parametrize("option", [("--free", "gains=-1"), ("--prior", "gains=1"), ("--fix", "gains=inf")])
def test_what_cannot_be_read_is_wrong_usage(eclips: Eclips, case: Case, fit: FakeFit, option: tuple[str, str]) -> None:
    assert eclips(*argv(case, "--flat", case.stack, *option)).status == 2


def test_the_start_is_not_overwritten(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    before = Path(case.detector).read_bytes()
    outcome = eclips("calibrate", "--flat", sized, "--start", case.detector, "-o", case.detector)
    assert outcome.status == 1
    assert Path(case.detector).read_bytes() == before


def test_emission_starts_as_calibrated(eclips: Eclips, case: Case, sized: str, fit: FakeFit) -> None:
    emission = {"model": "parametric", "material": "W", "coefficients": [0.1] * 6}
    content = {**DETECTOR.to_json(), "calibration": {"emission": emission}}
    Path(case.detector).write_text(json.dumps(content))
    assert eclips(*argv(case, "--flat", sized)).status == 0
    assert fit.params.emission.material == "W"
    assert fit.params.emission.coefficients == (0.1,) * 6
