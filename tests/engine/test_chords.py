"""Chords from slopes alone against those of the true heights: planes, walls, caps, noise; borders, tiles and derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from eclips_app.engine.forward.model import slopes as slopes_of
from eclips_app.engine.surrogates.chords import CHORDS_PX, RANGES, REACH_PX, Chords
from eclips_app.engine.surrogates.render import horizon
from eclips_app.engine.surrogates.vft import Vft, VftSize
from eclips_app.engine.training.labels import directions

AZIMUTHS = directions(16)
NEAR = (1, 2, 3, 4)
FAR = ((5, 6, 8, 10, 12), (14, 16, 20, 24, 28, 32))
EDGE = 200
INNER = (..., slice(64, -64), slice(64, -64))  #: what no border reaches
Y, X = np.mgrid[:EDGE, :EDGE].astype(float)


def found(height: np.ndarray) -> Tensor:
    return Chords(AZIMUTHS)(slopes_of(torch.from_numpy(height))[None])[0]


def true(height: np.ndarray, azimuths: np.ndarray = AZIMUTHS) -> Tensor:
    """Give the steepest chords of each range [range, azimuth, row, col] of heights, bilinear between pixels.

    Written anew, with scipy: nothing is shared with what it is compared with.
    """
    made = []
    for distances in (NEAR, *FAR):
        for right, up in azimuths.T:
            stretch = 1.0 / max(abs(right), abs(up))
            ends = [
                ndimage.map_coordinates(
                    height, [Y - up * stretch * n, X + right * stretch * n], order=1, mode="nearest"
                )
                for n in distances
            ]
            made.append(np.max([(e - height) / (stretch * n) for e, n in zip(ends, distances, strict=True)], axis=0))
    return torch.from_numpy(np.reshape(made, (RANGES, azimuths.shape[1], *height.shape)))


def rms(values: Tensor) -> list[float]:
    """Give the root mean square for each range of distances."""
    return values[INNER].square().mean((1, 2, 3)).sqrt().tolist()


def cap(radius: float = 60.0, foot: float = 40.0) -> np.ndarray:
    square = (X - 99.5) ** 2 + (Y - 99.5) ** 2
    return np.sqrt(np.maximum(radius**2 - square, radius**2 - foot**2))


def wall(run: float) -> np.ndarray:
    """Give a face 10 px high, `run` px wide, and plains on both sides."""
    return np.clip((X - 98.0) * (10.0 / run), 0.0, 10.0)


def noise(size: float, seed: int = 0) -> np.ndarray:
    return size * np.random.default_rng(seed).standard_normal((EDGE, EDGE))


def test_chords_of_a_plane_are_its_tangents():
    given = found(0.3 * X - 0.5 * Y)  # right 0.3, up 0.5
    tangents = torch.from_numpy(np.array([0.3, 0.5]) @ AZIMUTHS)
    assert torch.allclose(given[INNER], tangents[None, :, None, None].expand_as(given[INNER]), atol=1e-4)


def test_the_filter_makes_what_a_gaussian_takes_away():
    height = 20.0 * ndimage.gaussian_filter(noise(1.0), 3.0)
    made = Chords(AZIMUTHS).with_relief(slopes_of(torch.from_numpy(height))[None])[0][0, 0]
    wanted = torch.from_numpy(height - ndimage.gaussian_filter(height, 6.0, truncate=5.0))
    assert (made - wanted)[INNER].abs().max() < 0.02 * wanted.std()


@pytest.mark.parametrize(
    ("height", "worst"),
    [
        (cap(), 0.01),
        (10.0 / (1.0 + np.exp(100.0 - X)), 0.012),
        (20.0 * ndimage.gaussian_filter(noise(1.0), 3.0), 0.012),
    ],
    ids=["cap", "soft step of slope 2.5", "smooth roughness of slope 0.6"],
)
def test_chords_of_smooth_surfaces_are_those_of_the_heights(height: np.ndarray, worst: float):
    """Slopes tell smooth heights: within a hundredth at every pixel, chords between 0.6 and 2.3."""
    exact = true(height)
    assert exact[INNER].max() > 0.6
    assert (found(height) - exact)[INNER].abs().max() < worst


def test_a_sharp_face_is_seen_from_the_plain_and_not_from_its_top():
    """Central differences round its edges off, so that pixels there are wrong by a little, and the plain hardly."""
    height = wall(5.0)  # of slope 2
    given, exact = found(height), true(height)
    assert (given - exact)[INNER].abs().max() < 0.15
    toward, away = 15, 8  # right and left but for 11 degrees
    plain = given[1, toward, 100, 80:92]  # 6 to 18 px before the foot, looking at what is within 12 px
    assert torch.allclose(plain, exact[1, toward, 100, 80:92], atol=0.03)
    assert plain[-1] > 0.7
    assert exact[:, away, 100, 110:130].max() <= 0.0  # the plateau, looking over the edge
    assert given[:, away, 100, 110:130].max() < 0.04


def along_rays(height: np.ndarray) -> Tensor:
    """Give the chords of what is usually done with slopes: summed up along each ray."""
    slopes = slopes_of(torch.from_numpy(height)).numpy()
    made = []
    for distances in (NEAR, *FAR):
        for right, up in AZIMUTHS.T:
            stretch = 1.0 / max(abs(right), abs(up))
            along = slopes[0] * right + slopes[1] * up
            seen = [
                ndimage.map_coordinates(along, [Y - up * stretch * n, X + right * stretch * n], order=1, mode="nearest")
                for n in range(distances[-1] + 1)
            ]
            sums = np.cumsum(0.5 * (np.array(seen[1:]) + np.array(seen[:-1])), 0)
            made.append(np.max([sums[n - 1] / n for n in distances], axis=0))
    return torch.from_numpy(np.reshape(made, (RANGES, AZIMUTHS.shape[1], *height.shape)))


@pytest.mark.parametrize("height", [noise(0.3), wall(5.0) + noise(0.3)], ids=["alone", "on a face"])
def test_pixel_noise_is_known_from_its_slopes_by_the_wide_filter(height: np.ndarray):
    """White noise in heights is the hardest: neighbours know each other's height by detours only.

    Errors are within a tenth of the chords, and far below those of sums along the rays.
    """
    exact = true(height)
    errors, usual, sizes = rms(found(height) - exact), rms(along_rays(height) - exact), rms(exact)
    assert all(e < 0.1 * s for e, s in zip(errors, sizes, strict=True))
    assert all(e < 0.5 * u for e, u in zip(errors, usual, strict=True))


def test_beyond_the_border_all_is_level():
    """A slope map has the chords that it has within a larger one that is level around it."""
    given = slopes_of(torch.from_numpy(cap(60.0, 45.0) + noise(0.1)))[None, :, 80:140, 70:120]
    chords = Chords(AZIMUTHS)
    framed = F.pad(given, (REACH_PX,) * 4)
    around = chords(framed)[..., REACH_PX:-REACH_PX, REACH_PX:-REACH_PX]
    assert torch.allclose(chords(given), around, atol=1e-10)
    assert (chords(torch.zeros(1, 2, 9, 7)) == 0.0).all()


def test_nothing_beyond_the_reach_changes_a_chord():
    slopes = torch.randn(1, 2, 20, 2 * REACH_PX, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    other = slopes.clone()
    other[..., REACH_PX + 5 :] += 1.0
    change = (Chords(AZIMUTHS)(slopes) - Chords(AZIMUTHS)(other)).abs().amax((0, 1, 2, 3))
    assert change[:5].max() < 1e-12
    assert change[5 + REACH_PX - CHORDS_PX :].max() > 0.1


def test_tiles_are_the_whole():
    """In double precision: what is left is rounding, which convolutions of other sizes do in another order."""
    torch.manual_seed(0)
    net = Vft(VftSize(width=16, depth=2, heads=2, window=2, patch=4, detail=8)).eval().double()
    for p in net.parameters():
        p.data += 0.05 * torch.randn_like(p)
    slopes = 0.5 * torch.randn(2, 20, 150, dtype=torch.float64)
    with torch.no_grad():
        whole, tiled = horizon(net, slopes), horizon(net, slopes, tile_px=40)
    assert torch.allclose(whole, tiled, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("azimuth", [0, 3])
def test_derivatives_are_those_of_differences(azimuth: int):
    chords = Chords(AZIMUTHS[:, azimuth : azimuth + 1])
    slopes, way = torch.randn(2, 1, 2, 5, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    unknown = slopes.clone().requires_grad_()
    along = (torch.autograd.grad(chords(unknown).sin().sum(), unknown)[0] * way).sum()
    step = 1e-6 * way
    with torch.no_grad():
        wanted = (chords(slopes + step).sin().sum() - chords(slopes - step).sin().sum()) / 2e-6
    assert along.item() == pytest.approx(wanted.item(), rel=1e-6)
