"""Verdicts on real reconstructions of simulated images, each with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.steps import ClosedLoop, Reconstruct, Simulate, run_step
from eclips_app.engine.surfaces import rough
from eclips_app.metrology.honesty import Judgement, judge
from eclips_app.model.check import maps_of

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=9.0, beam=Beam(10.0, 2.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
PIXEL_NM = 2.0
SIZE = 128
PATCH = (30, 40, 80, 100)


def images(rho: NDArray[Any] | None = None, **more: Any) -> NDArray[Any]:
    params = Simulate(FOUR, PIXEL_NM, 8000.0, 1.5, azimuths=64, seed=3, **more)
    inputs = {"height": rough((SIZE, SIZE), PIXEL_NM, 2)} | ({} if rho is None else {"rho": rho})
    return run_step("simulate", inputs, params, SilentContext()).arrays["segments"]


def solved(segments: NDArray[Any], detector: Detector = FOUR, method: str = "closed-loop", **more: Any) -> Judgement:
    """Judge a reconstruction; nothing is stated about the detector, so that nothing is refitted."""
    kind = ClosedLoop if method == "closed-loop" else Reconstruct
    exact = {"azimuths": 32, "draws": 2} if kind is ClosedLoop else {}
    params = kind(detector, PIXEL_NM, device="cpu", scan_parallax=False, **exact, **more)
    found = run_step(f"reconstruct-{method}", {"segments": segments}, params, SilentContext())
    return judge(maps_of(f"reconstruct-{method}", schema.dump(params), found.arrays))


def kinds(found: Judgement) -> set[str]:
    return {verdict.kind for verdict in found.verdicts}


@pytest.mark.parametrize("method", ["linear", "closed-loop"])
def test_the_right_model_explains_the_field(method: str) -> None:
    found = solved(images(), method=method)
    assert found.explained is not None
    assert found.explained > 0.97
    assert not kinds(found) & {"geometry", "not explained", "material"}


@pytest.mark.parametrize("method", ["linear", "closed-loop"])
def test_a_wrong_distance_is_suspected_though_the_images_are_explained(method: str) -> None:
    found = solved(images(), replace(FOUR, distance_mm=7.0), method)
    assert found.explained is not None
    assert found.explained > 0.97
    assert "geometry" in kinds(found)


def test_a_wrong_emission_is_suspected() -> None:
    found = solved(images(emission=Emission("tabulated", "Cu")))
    assert "geometry" in kinds(found)
    assert "emission" in next(verdict.text for verdict in found.verdicts if verdict.kind == "geometry")


def test_a_pattern_of_materials_is_told_as_such() -> None:
    rho = np.ones((SIZE, SIZE))
    rho[PATCH[0] : PATCH[2], PATCH[1] : PATCH[3]] = 0.7
    found = solved(images(rho))
    assert found.explained is not None
    assert found.explained > 0.95
    (patch,) = (verdict for verdict in found.verdicts if verdict.kind == "material")
    assert patch.bbox == pytest.approx(PATCH, abs=8)
    assert "0.7 times as bright" in patch.text
    assert "geometry" not in kinds(found)


def spoiled(how: Callable[[NDArray[Any]], NDArray[Any]], box: tuple[int, int, int, int] = PATCH) -> NDArray[Any]:
    segments = images().copy()
    part = (1, slice(box[0], box[2]), slice(box[1], box[3]))
    segments[part] = how(segments[part])
    return segments


def test_a_clipped_segment_is_left_out_and_told() -> None:
    found = solved(spoiled(lambda part: np.full_like(part, 65535)), clip_high=65535.0)
    (patch,) = (verdict for verdict in found.verdicts if verdict.kind == "clipped")
    assert patch.bbox == pytest.approx(PATCH, abs=1)
    assert "not explained" not in kinds(found)


def test_saturation_that_nobody_told_is_not_explained() -> None:
    box = (50, 60, 66, 84)
    found = solved(spoiled(lambda part: np.minimum(part, 9000), box))
    worst = next(verdict for verdict in found.verdicts if verdict.kind == "not explained")
    assert worst.bbox is not None
    assert worst.bbox[0] <= box[0] + 4
    assert worst.bbox[3] >= box[3] - 4
    assert worst.chi2 is not None
    assert worst.chi2 > 4
