"""The emission that a detector file was calibrated with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission, calibrated_emission
from eclips_app.core.errors import EclipsError

SIX = [0.1, 0.0, 0.2, 0.3, 0.0, 0.1]


def calibrated(emission: Any) -> Detector:
    return replace(Detector(), calibration={"emission": emission})


def test_it_is_the_models_own_dataclass() -> None:
    detector = calibrated({"model": "parametric", "material": "W", "coefficients": SIX})
    assert calibrated_emission(detector) == Emission("parametric", "W", tuple(SIX))


def test_there_is_none_without_a_calibration() -> None:
    assert calibrated_emission(Detector()) is None
    assert calibrated_emission(replace(Detector(), calibration={"method": "none"})) is None


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"model": "cosine"}, "calibration.emission.model"),
        ({"model": "parametric", "coefficients": [1.0]}, "calibration.emission.coefficients"),
        ({"model": "lambert", "metal": "Cu"}, "metal"),
        ("lambert", "calibration.emission"),
    ],
)
def test_bad_content_names_its_key(content: Any, key: str) -> None:
    with pytest.raises(EclipsError, match=key):
        calibrated_emission(calibrated(content))
