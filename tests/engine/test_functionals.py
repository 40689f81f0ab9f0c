"""Exact standard deviations of functionals, against random draws and repeated images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ClosedLoop, FunctionalStd, Simulate, run_step
from eclips_app.engine.surfaces import rough

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=9.0, beam=Beam(10.0, 2.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
PIXEL_NM = 2.0


def weights() -> np.ndarray:
    """Mean height of a right block above a left one, near and far; and the height of a block alone."""
    found = np.zeros((3, 48, 56), np.float32)
    found[0, 20:28, 20:24], found[0, 20:28, 28:32] = -1 / 32, 1 / 32
    found[1, 20:28, 4:8], found[1, 20:28, 48:52] = -1 / 32, 1 / 32
    found[2, 4:8, 4:8] = 1 / 16
    return found


def test_functionals_are_as_sure_as_draws_and_repetition_say() -> None:
    height = rough((48, 56), PIXEL_NM, 2, rms_slope=0.1)
    simulate = Simulate(FOUR, PIXEL_NM, 3000.0, azimuths=32)
    params = ClosedLoop(FOUR, PIXEL_NM, device="cpu", scan_parallax=False, subpixels=1, draws=64, least_fall=1e-4)
    values, stated = [], np.zeros(3)
    for seed in range(24):
        segments = run_step("simulate", {"height": height}, replace(simulate, seed=seed), SilentContext()).arrays[
            "segments"
        ]
        fast = params if seed == 0 else replace(params, draws=2)
        found = run_step("reconstruct-closed-loop", {"segments": segments}, fast, SilentContext())
        heights = found.arrays["height"] - found.arrays["height"].mean()
        values.append((weights() * heights).sum(axis=(1, 2)))
        if seed == 0:
            noise = [part == "noise" for part, _ in found.info["deviation_parts"]]
            maps = found.arrays["deviations"][noise].astype(float) * PIXEL_NM
            drawn = np.sqrt(((maps[:, None] * weights()).sum(axis=(2, 3)) ** 2).sum(axis=0))
            inputs = {"segments": segments, "height": found.arrays["height"], "weights": weights()}
            exact = FunctionalStd(FOUR, PIXEL_NM, device="cpu", scan_parallax=False)
            stated = np.array(run_step("functional-std", inputs, exact, SilentContext()).info["std_nm"])
    np.testing.assert_allclose(stated, drawn, rtol=0.3)  # 64 draws: 9 % each
    np.testing.assert_allclose(stated, np.std(values, axis=0, ddof=1), rtol=0.45)  # 24 repetitions: 15 % each
    assert stated[1] > stated[0]  # the farther, the less sure


def test_weights_of_another_size_are_refused() -> None:
    inputs = {
        "segments": np.full((4, 48, 56), 100.0), "height": np.zeros((48, 56), np.float32), "weights": weights()[:, 1:],
    }  # fmt: skip
    with pytest.raises(EclipsError, match="do not belong"):
        run_step("functional-std", inputs, FunctionalStd(FOUR, PIXEL_NM, device="cpu"), SilentContext())
