"""Height from slopes by a network and the physics of the image at hand.

After the idea of learned, physics-informed integration (PINN): a network maps normals to heights, trained by the residual of the
differential equations ``dh/dx = p``, ``dh/dy = q``, the consistency of normals and Neumann borders (`pinn_task`), and is refined
by them on each image. Here it corrects least squares (`pinn_net`), so that its answer is a surface without curl by construction.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from eclips_app.core.errors import EclipsError
from eclips_app.core.paths import resource
from eclips_app.engine.integrators import Integration, Report, least_squares, nothing
from eclips_app.engine.integrators.pinn_net import (
    COARSEST,
    FORMAT,
    REACH_PX,
    Given,
    PinnNet,
    features_of,
    given,
    turned_over,
)
from eclips_app.engine.training.weights import put_into, read_weights

_TILE_PX = 416  #: with its margins two seconds of work on a processor, and 200 MB
_BOXES_PX = (4, 8, 16, 32)  #: edges of the squares over which residuals are averaged
_ALLOWED = 3.0  #: standard deviations that such a mean may be off
_CHANCE = 4e-3  #: excess (`_excess`) of noise alone: 2 ((1 + 3^2) Q(3) - 3 phi(3)) for each direction and size
_UNSEEN = 1e-3  #: error of slopes (0.06 deg) by interpolation between pixels, which no averaging lessens
#: Part taken of the corrections. Of 120 specimens unseen in training 22 % had worse heights than Wiener's with all of them, 8 %
#: with half; of the mean gain two thirds remained (7 and 5 %).
_CAUTION = 0.5
_GRID_PX = 16  #: of the map of trust
_STEPS, _STEP = 12, 0.1  #: of the refinement: at most, and their size
_LEAST_FALL = 0.02
_WIDEST = 256
_HOLDS = (
    "noise of the signals as least squares would pass it on, which is too much where the network takes noise away; what it takes "
    "from the surface is not in it; no error of model or geometry"
)


def integrate(
    p: Tensor, q: Tensor, mask: Tensor | None = None, report: Report = nothing, net: PinnNet | None = None
) -> tuple[Tensor, Integration]:
    """Integrate slopes with the network that comes with the program, or another; parameters: see `integrate_by`.

    Good for noisy surfaces of any kind, steps and facets among them: heights and normals are closest on average, but what its
    training has made it expect is in no standard deviation. Images are of any size; beside
    them it takes some 150 bytes for each pixel.
    """
    net = net or read_pinn(device=p.device)
    plain, how = least_squares.integrate(p, q, mask, lambda part: report(0.2 * part))
    seen = given(p, q, plain, mask)
    if not seen.noise > 0.0:
        return plain, Integration("pinn", how.iterations, how.residual, how.tolerance, (), _HOLDS)
    corrections = corrections_of(net, seen, lambda part: report(0.2 + 0.4 * part))
    base = plain + net.wiener.detach().clamp(max=1.0).to(plain.dtype) * (seen.calm - plain)
    h, steps = refined(seen, base, _CAUTION * corrections, lambda part: report(0.6 + 0.4 * part))
    return h - h.mean(), Integration("pinn", how.iterations + steps, how.residual, how.tolerance, (), _HOLDS)


def read_pinn(path: Path | None = None, device: torch.device | None = None) -> PinnNet:
    """Read a network, ready to use; by default the one that comes with the program.

    Raises
    ------
    EclipsError
        The file is missing, unsound, or not that of such a network.
    """
    file = path or resource("models/pinn.safetensors")
    tensors, metadata = read_weights(file)
    width = metadata.get("width", "")
    if metadata.get("model") != "pinn" or metadata.get("format") != FORMAT:
        raise EclipsError("these are not weights of this program's PINN", where=str(file), hint="Train it anew.")
    if not (width.isdecimal() and len(width) < 4 and 0 < int(width) <= _WIDEST and int(width) % 2 == 0):
        raise EclipsError("its metadata do not say how large the network is", where=str(file))
    return put_into(PinnNet(int(width)), tensors, str(file), device)


def corrections_of(net: PinnNet, seen: Given, report: Report = nothing, tile_px: int = _TILE_PX) -> Tensor:
    """Give the network's corrections of the slopes [2, row, col].

    What it gives for the surface turned over is turned over again and averaged: up and down are treated alike, and noise on a
    flat has no favourite side. Tiles overlap by all that the network sees (`REACH_PX`) and begin at multiples of its coarsest
    samples: there are no seams.
    """
    rows, columns = seen.p.shape
    found = torch.zeros((2, rows, columns), dtype=seen.p.dtype, device=seen.p.device)
    starts = [(r, c) for r in range(0, rows, tile_px) for c in range(0, columns, tile_px)]
    for number, (row, column) in enumerate(starts):
        report(number / len(starts))
        (down, own_down), (along, own_along) = _reach(row, rows, tile_px), _reach(column, columns, tile_px)
        shown = features_of(seen, down, along)
        with torch.no_grad():
            made = net(shown[None])[0]
            report((number + 0.5) / len(starts))
            made = 0.5 * (made - net(turned_over(shown)[None])[0])
        found[:, row : row + tile_px, column : column + tile_px] = made[:, own_down, own_along] * seen.noise
    return found * seen.mask


def _reach(start: int, count: int, tile_px: int) -> tuple[slice, slice]:
    """Give where a tile with its margins lies, and the tile within it."""
    assert tile_px % COARSEST == 0
    first, end = max(0, start - REACH_PX), min(count, start + tile_px + REACH_PX)
    return slice(first, end), slice(start - first, min(start + tile_px, count) - first)


def refined(seen: Given, base: Tensor, corrections: Tensor, report: Report = nothing) -> tuple[Tensor, int]:
    """Take corrections of slopes back where the heights ``base + surface(corrections)`` cannot be what the slopes show.

    The residual of ``dh/dx = p``, ``dh/dy = q`` on the edges between pixels (borders are natural) is averaged over squares of
    several sizes. Where such a mean is further off than its noise allows, the network has taken surface for noise: a smooth map
    of trust (0 to 1), by which the corrections are multiplied, is lowered by Adam along the square of the excess, until that
    falls no more. Gives the heights and the steps taken.
    """
    wanted = least_squares.increments(seen.p, seen.mask), -least_squares.increments(seen.q.T, seen.mask.T).T
    inside = _well_within(seen.mask), _well_within(seen.mask.T).T
    grid = (2 + seen.p.shape[0] // _GRID_PX, 2 + seen.p.shape[1] // _GRID_PX)
    trust = torch.ones((1, 1, *grid), dtype=base.dtype, device=base.device, requires_grad=True)
    optimiser = torch.optim.Adam([trust], lr=_STEP)
    best, least, steps = base, float("inf"), 0
    for steps in range(_STEPS + 1):
        report(steps / (_STEPS + 1))
        share = F.interpolate(trust, seen.p.shape, mode="bilinear", align_corners=True)[0]
        h = base + least_squares.surface(share * corrections)
        excess = _excess(h, wanted, inside, seen.noise)
        now = float(excess.detach())
        fell = now < (1.0 - _LEAST_FALL) * least
        if now < least:
            best, least = h.detach(), now
        if not fell or now <= _CHANCE or steps == _STEPS:
            break
        optimiser.zero_grad()
        excess.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        trust.data.clamp_(0.0, 1.0)
    return best, steps


def _well_within(mask: Tensor) -> Tensor:
    """Tell which edges to the next column [row, col - 1] have increments of fourth order: others err beyond noise."""
    found = torch.zeros_like(mask[:, 1:])
    found[:, 1:-1] = mask[:, :-3] & mask[:, 1:-2] & mask[:, 2:-1] & mask[:, 3:]
    return found


def _excess(h: Tensor, wanted: tuple[Tensor, Tensor], inside: tuple[Tensor, Tensor], noise: float) -> Tensor:
    """Give the mean square of what means of residuals exceed the noise by, in units of it; the sum over sizes."""
    total = torch.zeros((), dtype=h.dtype, device=h.device)
    for difference, e, there in zip((h.diff(dim=1), h.diff(dim=0)), wanted, inside, strict=True):
        here = there.to(h.dtype)
        residual = (difference - e) * here / noise
        for edge in _BOXES_PX:
            mean, share = (F.avg_pool2d(x[None, None], edge, edge // 2, edge // 2) for x in (residual, here))
            off = mean * edge * torch.rsqrt(share.clamp(min=1.0 / edge**2))
            total = total + F.relu(off.abs() - (_ALLOWED + edge * _UNSEEN / noise)).square().mean()
    return total
