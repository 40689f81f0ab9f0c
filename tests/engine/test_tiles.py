"""Images solved in tiles: how they are cut and put together, and that the result is that of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.steps import ClosedLoop, Simulate, StepResult, run_step
from eclips_app.engine.refine.mosaic import Heights, tiles
from eclips_app.engine.surfaces import steps

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=9.0, beam=Beam(10.0, 2.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
PIXEL_NM = 2.0


@pytest.mark.parametrize(("shape", "size"), [((100, 130), 256), ((300, 517), 160), ((1025, 2048), 1024)])
def test_tiles_cover_the_image_once(shape: tuple[int, int], size: int) -> None:
    total = np.zeros(shape, np.float32)
    for tile in tiles(shape, size):
        assert max(tile.weight.shape) <= max(size, *(n for n in shape if n <= size), 1)
        total[tile.spot] += tile.weight
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)


def test_heights_of_tiles_are_put_together_exactly() -> None:
    rng = np.random.default_rng(1)
    height = np.cumsum(np.cumsum(rng.standard_normal((250, 330)), axis=0), axis=1).astype(np.float32) / 100
    found = Heights(height.shape)
    for tile in tiles(height.shape, 140):
        found.add(tile, height[tile.spot] + np.float32(rng.normal()))  # a tile does not know its level
    expected = height - height.mean()
    np.testing.assert_allclose(found.integrated(), expected, atol=2e-4 * np.ptp(expected))


def solved(segments: NDArray[np.uint16], tile_px: int | None) -> StepResult:
    params = ClosedLoop(FOUR, PIXEL_NM, device="cpu", scan_parallax=False, tile_px=tile_px)
    return run_step("reconstruct-closed-loop", {"segments": segments}, params, SilentContext())


def test_tiles_find_what_the_whole_finds() -> None:
    fine = steps((400, 500), PIXEL_NM / 2, 1)
    params = Simulate(FOUR, PIXEL_NM, 8000.0, 2.0, azimuths=32, subpixels=2, seed=3)
    segments = run_step("simulate", {"height": fine}, params, SilentContext()).arrays["segments"]
    whole, cut = solved(segments, None), solved(segments, 160)
    truth = fine.reshape(200, 2, 250, 2).mean(axis=(1, 3))
    errors = [each.arrays["height"] - (truth - truth.mean()) for each in (whole, cut)]
    assert cut.info["tiles"] == 4
    assert (errors[1] - errors[0]).std() < 0.3 * errors[0].std()
    assert {name: array.shape for name, array in whole.arrays.items()} == {
        name: array.shape for name, array in cut.arrays.items()
    }
    assert np.median(cut.arrays["height_std"]) == pytest.approx(np.median(whole.arrays["height_std"]), rel=0.2)
