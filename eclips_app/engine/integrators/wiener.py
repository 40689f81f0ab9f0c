"""Height from slopes: least squares, then each ring of spatial frequencies shrunk by what of it is noise (empirical Bayes).

The noise of the slopes is measured by their curl, which no surface has. With the power P of a ring of cosine modes of the least
squares height and the power N that such noise puts there, the best linear estimate takes the part ``(P - N) / P`` (Wiener 1949;
empirical Bayes after James and Stein 1961). The mean plane is left alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.engine.dct import RINGS, dct2, eigenvalues, idct2, rings
from eclips_app.engine.integrators import Integration, Report, least_squares, nothing
from eclips_app.engine.noise import noise_scale
from eclips_app.engine.uncertainty import noise_power

Float = NDArray[np.float64]

_CERTAIN = 3.0  #: standard deviations of a ring's power that its surface must stand above the noise
_FEW = 30  #: modes in a ring below which that test says nothing
_BAND = 256
_HOLDS = (
    "noise of the signals, and what the shrinkage takes from the surface, each averaged over the field; no error of model or "
    "geometry; narrow edges among much noise are flattened by more"
)


def integrate(p: Tensor, q: Tensor, mask: Tensor | None = None, report: Report = nothing) -> tuple[Tensor, Integration]:
    """Integrate slopes, shrinking what is noise; parameters: see `integrate_by`.

    Good for surfaces that are flat or rough in the same way everywhere; it never costs more than the noise that it removes.
    """
    plane = mean_slopes(p, q, mask)
    h, how = least_squares.integrate(p - plane[0], q - plane[1], mask, lambda part: report(0.6 * part))
    shares = shrink(h, slope_std(p, q, mask), mask, lambda: report(0.8))
    return add_plane(h, plane), Integration(
        f"{how.method}-wiener", how.iterations, how.residual, how.tolerance, shares, _HOLDS
    )


def slope_std(p: Tensor, q: Tensor, mask: Tensor | None = None, check: Callable[[], None] = nothing) -> float:
    """Give the standard deviation of the white noise of each slope, from their curl."""
    both = torch.full((1, 1), 2.0, dtype=p.dtype, device=p.device).expand(p.shape)
    return noise_scale(p, q, both, torch.ones_like(p, dtype=torch.bool) if mask is None else mask, check)


def mean_slopes(p: Tensor, q: Tensor, mask: Tensor | None) -> tuple[float, float]:
    """Give the means of both slopes over the data."""
    here = np.ones(p.shape, bool) if mask is None else mask.cpu().numpy()
    if not here.any():
        return 0.0, 0.0
    found = [float(np.mean(slope.cpu().numpy(), where=here, dtype=np.float64)) for slope in (p, q)]
    return found[0], found[1]


def add_plane(h: Tensor, slopes: tuple[float, float]) -> Tensor:
    """Add a plane of given slopes (right, up) and mean zero in place; gives the result."""
    rows, columns = (torch.arange(n, dtype=h.dtype, device=h.device) - 0.5 * (n - 1) for n in (h.shape[0], h.shape[1]))
    return h.add_(slopes[0] * columns).sub_((slopes[1] * rows)[:, None])


def shrink(
    h: Tensor, noise: float, mask: Tensor | None = None, check: Callable[[], None] = nothing
) -> tuple[float, ...]:
    """Shrink a least squares height in place, the slopes of which have white noise of this standard deviation.

    Gives the expected squared error of each ring in units of that of least squares: noise that is kept, and surface that is lost.
    """
    covered = 1.0 if mask is None else float(mask.cpu().numpy().mean())
    modes = dct2(h, check)
    power, of_noise, count = (np.zeros(RINGS) for _ in range(3))
    shape = h.shape[0], h.shape[1]
    for a in range(0, shape[0], _BAND):
        band = slice(a, min(a + _BAND, shape[0]))
        ring = rings(shape, band).ravel()
        found = modes[band].cpu().numpy().astype(np.float64)
        power += np.bincount(ring, (found**2).ravel(), RINGS)
        of_noise += np.bincount(ring, _noise(shape, band, noise**2 * covered).ravel(), RINGS)
        count += np.bincount(ring, minlength=RINGS)
        check()
    kept, shares = _kept(power, of_noise, count)
    factors = torch.from_numpy(kept).to(h.device, h.dtype)
    for a in range(0, shape[0], _BAND):
        band = slice(a, min(a + _BAND, shape[0]))
        modes[band] *= factors[torch.from_numpy(rings(shape, band)).to(h.device)]
    h.copy_(idct2(modes, check))
    return tuple(shares.tolist())


def _kept(power: Float, of_noise: Float, count: Float) -> tuple[Float, Float]:
    """Give what is kept of each ring, and its error in units of the noise."""
    ratio = np.where(
        of_noise > 0, power / np.maximum(of_noise, 1e-300), np.inf
    )  # infinite: no noise, nothing to shrink
    kept = np.clip(1.0 - 1.0 / np.maximum(ratio, 1e-12), 0.0, 1.0)
    spread = np.sqrt(2.0 / np.maximum(count, 1.0))  # of the power of so many Gaussian modes
    kept[(kept < _CERTAIN * spread) & (count >= _FEW)] = 0.0
    surface = np.maximum(ratio - 1.0, 0.0) + spread  # what may be there
    lost = np.where(kept < 1.0, (1.0 - kept) ** 2 * np.where(np.isfinite(surface), surface, 0.0), 0.0)
    return kept, kept**2 + lost


def _noise(shape: tuple[int, int], rows: slice, variance: float) -> Float:
    """Give the power of noise in each mode [row, col] of the height for white noise of the slopes of this variance."""
    eigenvalue = eigenvalues(shape[0])[rows, None] + eigenvalues(shape[1])[None, :]
    power = noise_power(shape[0])[rows, None] + noise_power(shape[1])[None, :]
    eigenvalue[eigenvalue == 0.0] = np.inf
    found: Float = variance * power / eigenvalue**2
    return found
