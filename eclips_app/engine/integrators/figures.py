"""What `eclips bench integrators` integrates: known surfaces as pixels see them, and heights by each method with their times."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.engine.device import one_thread
from eclips_app.engine.integrators import integrate_by
from eclips_app.engine.integrators.noisy import noisy, seen_by_pixels
from eclips_app.engine.surfaces import KINDS
from eclips_app.engine.surfaces.grid import no_check

Float = NDArray[np.float64]

_SAMPLES = 4  #: along a pixel's edge
_SEED = 3
#: Parameters in samples: terraces 14 to 40 px long with steps of 2 to 6 px, roughness smooth below 6 px.
_GIVEN: Mapping[str, tuple[str, dict[str, float]]] = {
    "rough": ("rough", {"rms_slope": 0.35, "hurst": 0.8, "cutoff_nm": 6.0 * _SAMPLES}),
    "stepped": (
        "steps",
        {
            "step_height_nm": 4.0 * _SAMPLES, "terrace_nm": 27.0 * _SAMPLES, "slope_angle_deg": 46.0, "azimuth_deg": 20.0,
            "spread": 0.5,
        },
    ),
    "flat": ("rough", {"rms_slope": 0.35, "hurst": 0.8, "cutoff_nm": 12.0 * _SAMPLES}),
}  # fmt: skip
SURFACES = tuple(_GIVEN)
_FLAT = 1e-3  #: height range of the flat surface over its width


@dataclass(frozen=True)
class Surface:
    """A known surface: height [row, col] and slopes (right, up) [2, row, col] in pixels, and where they are."""

    name: str
    height: Float
    slopes: Float
    mask: NDArray[np.bool_] | None = None

    @property
    def normals(self) -> Float:
        """Unit normals [3, row, col]."""
        p, q = self.slopes
        found: Float = np.stack([-p, -q, np.ones_like(p)]) / np.sqrt(1.0 + p * p + q * q)
        return found


def surface(name: str, size: int) -> Surface:
    """Make one of `SURFACES` of so many pixels."""
    kind, given = _GIVEN[name]
    fine = KINDS[kind]((size * _SAMPLES, size * _SAMPLES), 1.0, _SEED, no_check, **given)
    if name == "flat":
        fine = fine * (_FLAT * fine.shape[0] / float(np.ptp(fine)))
    return Surface(name, *seen_by_pixels(fine, _SAMPLES))


def measured_surface(heights_px: Float) -> Surface:
    """Take a measured map as a known surface of half its size."""
    return Surface("map", *seen_by_pixels(heights_px))


def heights(method: str, given: Surface, degrees: float, seed: int) -> tuple[Float, float]:
    """Integrate slopes whose normals are off by so much; gives the heights and the time in seconds, best of two."""
    rng = np.random.default_rng((seed, round(1000 * degrees)))
    mask = given.mask
    read = noisy(given.slopes, degrees, rng) * (1.0 if mask is None else mask)
    p, q = (torch.from_numpy(each.astype(np.float32)) for each in read)
    here = None if mask is None else torch.from_numpy(mask)
    times = []
    with one_thread():
        for _ in range(2):
            begin = time.perf_counter()
            found, _ = integrate_by(method, p, q, here)
            times.append(time.perf_counter() - begin)
    return found.numpy().astype(np.float64), min(times)
