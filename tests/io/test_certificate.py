"""The certificate of a calibration: what is on it, and that it comes from the detector file alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from eclips_app.core.calibration import parameter_names, unit_of
from eclips_app.core.detector import Beam, Detector, Segment, detector_from_json
from eclips_app.core.errors import EclipsError
from eclips_app.io import sheets
from eclips_app.io.certificate import certificate, write_certificate
from eclips_app.io.certificate_words import correlations, rounded

BARE = Detector(
    name="Column 2",
    beam=Beam(10.0, 2.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
)
FREE = ("distance_mm", "outer_radius_mm", "gain:E")
STD = np.array([0.04, 0.06, 0.004])
SHA = "ab" * 32


def calibration() -> dict[str, Any]:
    correlation = np.eye(3)
    correlation[0, 1] = correlation[1, 0] = 0.97
    values = [
        {
            "name": name, "unit": unit_of(name), "mode": "free" if name in FREE else "fixed", "start": 1.0, "value": 1.01234,
            "std": float(STD[FREE.index(name)]) if name in FREE else None, "source": "fit", "at_limit": False,
        }
        for name in parameter_names(BARE)
    ]  # fmt: skip
    tilts = list(range(0, 70, 5))
    return {
        "method": "least squares", "name": "June with $x_1$", "date": "2026-06-01T12:30:00+00:00", "program": "ECLIPS 1",
        "parameters": list(FREE), "covariance": (correlation * STD * STD[:, None]).tolist(), "values": values,
        "emission": {"model": "parametric", "material": "Cu", "coefficients": [0.1] * 6},
        "observations": [{
            "name": "Sphere: ball", "kind": "sphere", "text": "A sphere of 5 µm.", "chi2": 1.1, "residual_percent": 1.7,
            "sources": [{"path": "/data/ball.tif", "sha256": SHA}],
        }],
        "acquisition": {"energy_kev": 10.0, "working_distance_mm": 9.1, "contrast": 41.0},
        "chi2": 98123.0, "degrees_of_freedom": 96000, "model_error_percent": 0.6, "warnings": ["Brightness is uneven."],
        "curve": {
            "tilt_deg": tilts, "lambert": [1.0] * 14, "tabulated": None, "fitted": [1.2] * 14,
            "measured": [{"tilt_deg": 22.0, "value": 1.2, "std": 0.02, "name": "Vickers"}],
        },
    }  # fmt: skip


def texts(detector: Detector) -> list[str]:
    with sheets.drawn():
        return [text.get_text() for figure in certificate(detector).figures for text in figure.texts]


def test_it_says_what_was_found_from_what_and_how_well(tmp_path: Path) -> None:
    detector = detector_from_json({**BARE.to_json(), "calibration": calibration()})
    path = tmp_path / "certificate.pdf"
    write_certificate(path, detector)
    assert path.read_bytes().startswith(b"%PDF")
    said = texts(detector)
    whole = " ".join(said)
    for wanted in (
        "Calibration certificate", "Column 2", "2026-06-01 12:30 UTC", "ECLIPS 1", "Specimen distance", "1.012", "0.080",
        "Sphere: ball", "A sphere of 5 µm.", "Brightness is uneven.", "10 keV", "9.1 mm", SHA, "ball.tif", "June with $x_1$",
        "fitted", "fixed", "correlation 0.97",
    ):  # fmt: skip
        assert wanted in whole, wanted
    with sheets.drawn():
        figures = certificate(detector).figures
    assert 1 <= len(figures) <= 3
    (axes,) = [axes for figure in figures for axes in figure.axes]
    assert [line.get_label() for line in axes.lines[:2]] == ["Lambert's law", "this calibration"]


def test_everything_lies_on_its_sheet() -> None:
    with sheets.drawn():
        figures = certificate(replace(BARE, calibration=calibration())).figures
        renderers = [FigureCanvasAgg(figure).get_renderer() for figure in figures]
        for figure, renderer in zip(figures, renderers, strict=True):
            for text in figure.texts:
                box = text.get_window_extent(renderer)
                assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1, text.get_text()
                assert box.y0 >= 0, text.get_text()


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    detector = replace(BARE, calibration=calibration())
    for name in ("a.pdf", "b.pdf"):
        write_certificate(tmp_path / name, detector)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_what_was_never_calibrated_has_none(tmp_path: Path) -> None:
    for found in (None, {"method": "none"}):
        with pytest.raises(EclipsError, match="no result of a calibration"):
            write_certificate(tmp_path / "none.pdf", replace(BARE, calibration=found))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", sorted(set(calibration()) - {"values"}))
@pytest.mark.parametrize("value", [None, 3, "text", [1, "x", None], {"a": []}])
def test_a_file_that_was_edited_by_hand_is_printed_all_the_same(key: str, value: Any) -> None:
    assert texts(replace(BARE, calibration={**calibration(), key: value}))


def test_many_parameters_and_files_flow_onto_more_sheets() -> None:
    many = calibration()
    many["warnings"] = [f"Warning {n}. " * 20 for n in range(12)]
    with sheets.drawn():
        figures = certificate(replace(BARE, calibration=many)).figures
    assert len(figures) >= 3
    assert f"1 / {len(figures)}" in [text.get_text() for text in figures[0].texts]


def test_values_are_written_to_the_second_digit_of_their_deviation() -> None:
    assert rounded(8.12345, 0.04) == "8.123"
    assert rounded(123.456, 12.0) == "123"
    assert rounded(1.5, None) == "1.5"
    assert rounded(None, 0.1) == "–"


def test_strong_correlations_are_told_strongest_first() -> None:
    covariance = [[4, 0, 3.9], [0, 1, -0.96], [3.9, -0.96, 4]]
    told = correlations({"parameters": ["distance_mm", "gain:E", "gain:N"], "covariance": covariance})
    assert len(told) == 1
    assert "Gain N and specimen distance grow together (correlation 0.97)" in told[0]
