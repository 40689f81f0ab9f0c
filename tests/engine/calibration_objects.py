"""Segment images of objects of known shape, rendered by the forward model for a detector that a calibration has to find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from eclips_app.core.calibration import Calibrate, Facets, Flat, Indent, Observation, Sphere
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.core.steps import Simulate, StepResult, run_step

PIXEL_NM = 50.0
SIZE = 96
RADIUS = 48.0  #: of the ball, in pixels
DOSE = 2e4


def sheet(count: int = 4) -> Detector:
    """What the data sheet says."""
    span = 360.0 / count - 4.0
    segments = tuple(Segment(n, 360.0 * k / count, span, 1.0, 0.0) for k, n in enumerate("ABCDEFGH"[:count]))
    return Detector(quadrants=segments, beam=Beam(15.0, 0.0))


def with_channels(detector: Detector, gains: Any = None, offsets: Any = None) -> Detector:
    count = len(detector.quadrants)
    channels = zip(detector.quadrants, gains or [1.0] * count, offsets or [0.0] * count, strict=True)
    return replace(detector, quadrants=tuple(replace(s, gain=g, offset=o) for s, g, o in channels))


def images(
    detector: Detector, height_px: np.ndarray, *, pixel_nm: float = PIXEL_NM, dose: float | None = DOSE, **others: Any
) -> np.ndarray:
    """Render a height in pixels, given with 2 x 2 samples in each."""
    params = Simulate(
        detector, pixel_nm, dose=dose, subpixels=2, azimuths=32, scan_parallax=True, **{"seed": 3, **others}
    )  # fmt: skip
    return run_step("simulate", {"height": height_px * pixel_nm}, params, SilentContext()).arrays["segments"]


def place() -> tuple[np.ndarray, np.ndarray]:
    """Distances right and up from the middle, in pixels."""
    along = (np.arange(2 * SIZE) + 0.5) / 2 - SIZE / 2
    return np.meshgrid(along, -along)


def cap(foot_deg: float = 66.0) -> np.ndarray:
    x, y = place()
    high = np.sqrt(np.maximum(RADIUS**2 - x**2 - y**2, 0.0)) - RADIUS * np.cos(np.deg2rad(foot_deg))
    return np.maximum(high, 0.0)


def plane(tilt_x_deg: float = 0.0, tilt_y_deg: float = 0.0) -> np.ndarray:
    """A flat turned right-handed about x and about y, by little."""
    x, y = place()
    return y * np.tan(np.deg2rad(tilt_x_deg)) - x * np.tan(np.deg2rad(tilt_y_deg))


def pyramid_pit(tilt_deg: float, rotation_deg: float = 20.0, half: float = 30.0) -> np.ndarray:
    """A Vickers imprint."""
    x, y = place()
    f = np.deg2rad(rotation_deg)
    u, v = x * np.cos(f) + y * np.sin(f), y * np.cos(f) - x * np.sin(f)
    return np.minimum(np.maximum(np.abs(u), np.abs(v)) - half, 0.0) * np.tan(np.deg2rad(tilt_deg))


def ball(**others: Any) -> Observation:
    given = {"center_px": (47.5, 47.5), "radius_px": 44.0, "radius_nm": RADIUS * PIXEL_NM, "radius_std_percent": 0.01}
    given |= {name: others.pop(name) for name in (*given, "max_tilt_deg") if name in others}
    return Observation("ball", PIXEL_NM, sphere=Sphere(**given), **others)


def flat(**others: Any) -> Observation:
    given = {"name": "flat", "pixel_size_nm": PIXEL_NM, "flat": Flat((2, 2, SIZE - 2, SIZE - 2))}
    return Observation(**{**given, **others})


def indent(faces: tuple[int, ...] = (0, 1, 2, 3)) -> Observation:
    found = Indent((47.5, 47.5), 30.0 * 2**0.5, 20.0, face_std_deg=0.01, faces=faces)
    return Observation("indent", PIXEL_NM, indent=found, tilt_std_deg=0.01)


def facets(tilt_deg: float) -> Observation:
    areas = ((10, 10, 40, 86), (56, 10, 86, 86))
    return Observation("ridge", PIXEL_NM, facets=Facets(areas, (90.0, -90.0), tilt_deg, 0.01), tilt_std_deg=0.01)


def calibrate(
    detector: Detector,
    objects: list[tuple[Observation, np.ndarray]],
    *,
    emission: Emission | None = None,
    **others: Any,
) -> StepResult:
    """Run the step; arrays that are no images are given as ``heights=``."""
    heights = others.pop("heights", {})
    inputs = {f"segments/{n}": each for n, (_, each) in enumerate(objects)} | heights
    params = Calibrate(
        detector, tuple(o for o, _ in objects), emission=emission or Emission(), **{"grey_per_electron": 1.0, **others}
    )
    return run_step("calibrate", inputs, params, SilentContext())


def value(result: StepResult, name: str) -> tuple[float, float | None]:
    """Value and deviation of a parameter."""
    row = next(each for each in result.info["parameters"] if each["name"] == name)
    return row["value"], row["std"]
