"""What a network is shown of segment images: planes whose number does not depend on the detector's segments.

The linear solution (`engine.solve`) comes as it is, and of signals blurred more and more: where the surface is smooth the network
need only choose. What the signals tell beyond it, above all who is in the shadow, comes as their sums over the segments with the
powers 0, 1, 2 of ``exp(i f)``, f the segments' azimuths. The detector itself and the noise come as planes of one number each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from eclips_app.core.detector import Detector
from eclips_app.engine import acceptance, solve
from eclips_app.engine.forward.image import probe_sigma
from eclips_app.engine.linear_emission import Readings

BLURS_PX = (0.0, 0.8, 1.6, 3.2)  #: standard deviations
_CUT = 3.0  #: of them after which the blur ends
_ORDERS = (0, 1, 2)  #: of the sums over the signals
_ALIASES = (2, 3, 4)  #: of the sums over the segments themselves: which orders they confuse
_CELLS = 90, 96  #: enough for the range of take-off angles
_DARKEST = 1e-3  #: of the median brightness
_FARTHEST = 0.98  #: from the middle of the stereographic plane: 89 degrees of tilt
_NOISELESS = 1e-4  #: relative noise below which there is none

SOLUTIONS = 3 * len(BLURS_PX)  #: planes u, v and logarithm of the brightness for each blur
PLANES = SOLUTIONS + (2 * len(_ORDERS) - 1) + 1
NUMBERS = 5 + 2 * len(_ALIASES)
CHANNELS = PLANES + NUMBERS


@dataclass(frozen=True)
class Seen:
    """What a detector is to a network.

    Attributes
    ----------
    vectors : array [k, 3]
        Acceptance vectors, scaled to a mean z component of 1.
    azimuth : array [k]
        Of the vectors, in radians.
    numbers : array [NUMBERS]
        Signal per slope, lowest and highest polar angle in radians, logarithm of the relative noise, probe in pixels, aliases.
    readings : Readings, optional
        True slopes by those read, where the emission is known not to be Lambert's.
    """

    vectors: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    numbers: NDArray[np.float64]
    readings: Readings | None = None


def seen(detector: Detector, pixel_size_nm: float, relative_noise: float, readings: Readings | None = None) -> Seen:
    """Describe a detector; `relative_noise` is the standard deviation of a flat's signal in parts of it."""
    vectors = acceptance.vectors(detector)
    vectors = vectors / vectors[:, 2].mean()
    low, high = acceptance.acceptance(detector, *_CELLS).limits()
    azimuth = np.arctan2(vectors[:, 1], vectors[:, 0])
    gain = float((np.hypot(vectors[:, 0], vectors[:, 1]) / vectors[:, 2]).mean())
    probe = probe_sigma(detector.beam.probe_fwhm_nm, pixel_size_nm) if detector.beam else 0.0
    turns = [np.exp(1j * order * azimuth).mean() for order in _ALIASES]
    aliases = [part for turn in turns for part in (turn.real, turn.imag)]
    noise = float(np.log10(max(relative_noise, _NOISELESS)))
    return Seen(vectors, azimuth, np.array([gain, low, high, noise, probe, *aliases]), readings)


def planes(signals: Tensor, usable: NDArray[np.bool_], detector: Seen, brightness: float) -> Tensor:
    """Give the planes [CHANNELS, row, col] of signals [k, row, col], gains and offsets taken away.

    The first three are the stereographic coordinates of the linear solution and the logarithm of its brightness in units of
    `brightness`; then the same of blurred signals. Segments that are not `usable` count as the linear solution predicts them.
    """
    found = solve.solve(signals, usable, detector.vectors)
    b = torch.where(found.solved, found.b, torch.zeros_like(found.b))
    predicted = torch.stack([solve.predict(b, vector) for vector in detector.vectors.tolist()])
    filled = torch.where(torch.from_numpy(usable).to(signals.device), signals, predicted)
    solutions = [_solution(blurred(filled, sigma), detector, brightness) for sigma in BLURS_PX]
    harmonics = _harmonics(filled, detector) / brightness
    share = torch.from_numpy(usable.mean(0, dtype=np.float32)).to(signals)[None]
    numbers = torch.from_numpy(detector.numbers).to(signals)[:, None, None].expand(-1, *signals.shape[1:])
    return torch.cat([*solutions, harmonics.clamp(-4.0, 4.0), share, numbers])


def _solution(signals: Tensor, detector: Seen, brightness: float) -> Tensor:
    """Give the stereographic coordinates and the logarithm of the brightness [3, row, col] of signals that all count."""
    inverse = torch.from_numpy(np.linalg.pinv(detector.vectors)).to(signals)
    b = torch.einsum("ck,krs->crs", inverse, signals)
    b = torch.cat([b[:2], b[2:].clamp(min=0.0)])
    bright = b.square().sum(0).sqrt().clamp(min=_DARKEST * brightness)
    stereographic, log_bright = b[:2] / (bright + b[2]), (bright / brightness).log()
    if detector.readings is not None:
        stereographic, over = _corrected(stereographic, detector.readings)
        log_bright = log_bright - over.clamp(min=_DARKEST).log()
    return torch.cat([stereographic, log_bright[None]])


def _harmonics(signals: Tensor, detector: Seen) -> Tensor:
    """Give the sums over the segments, each in units of what it gets from a flat, with the powers of ``exp(i f)``."""
    turns = [np.exp(1j * order * detector.azimuth) for order in _ORDERS]
    rows = [part for n, turn in zip(_ORDERS, turns, strict=True) for part in (turn.real, turn.imag)[: 1 + (n > 0)]]
    factors = np.stack(rows) / (detector.vectors[:, 2] * len(detector.vectors))
    return torch.einsum("hk,krs->hrs", torch.from_numpy(factors).to(signals), signals)


def blurred(signals: Tensor, sigma_px: float) -> Tensor:
    """Blur planes [n, row, col] by a Gaussian; beyond the border they go on as they are there."""
    if sigma_px == 0.0:
        return signals
    reach = int(_CUT * sigma_px + 0.5)
    x = torch.arange(-reach, reach + 1, dtype=signals.dtype, device=signals.device)
    line = torch.exp(-0.5 * (x / sigma_px) ** 2)
    line = line / line.sum()
    wide = F.pad(signals[:, None], (reach,) * 4, mode="replicate")
    found: Tensor = F.conv2d(F.conv2d(wide, line[None, None, None]), line[None, None, :, None])[:, 0]
    return found


def turned(given: Tensor, quarters: int) -> Tensor:
    """Turn planes [CHANNELS, row, col] by quarter turns to the left, detector and all."""
    found = torch.rot90(given, quarters, (-2, -1)).clone()
    pairs = [(place, 1) for place in range(0, SOLUTIONS, 3)]
    pairs += [(SOLUTIONS + 2 * n - 1, order) for n, order in enumerate(_ORDERS) if n]
    pairs += [(CHANNELS - 2 * (len(_ALIASES) - n), order) for n, order in enumerate(_ALIASES)]
    for first, order in pairs:
        pair = torch.complex(found[first], found[first + 1]) * 1j ** (order * quarters % 4)
        found[first], found[first + 1] = pair.real, pair.imag
    return found


def turned_slopes(slopes: NDArray[np.float32], quarters: int) -> NDArray[np.float32]:
    """Turn slopes (right, up) [2, row, col] by quarter turns to the left."""
    right, up = np.rot90(slopes, quarters, (1, 2))
    along = (right + 1j * up) * 1j**quarters
    return np.stack([along.real, along.imag]).astype(np.float32)


def _corrected(stereographic: Tensor, readings: Readings) -> tuple[Tensor, Tensor]:
    """Give the true coordinates of those read, and brightness read over true brightness."""
    p, q = to_slopes(stereographic).cpu().numpy()
    true_p, true_q, over = (torch.from_numpy(each).to(stereographic) for each in readings.true(p, q))
    return to_stereographic(torch.stack([true_p, true_q])), over


def to_stereographic(slopes: Tensor) -> Tensor:
    """Give ``tan(tilt / 2)`` times where the normal leans, for slopes (right, up) [..., 2, row, col]."""
    return -slopes / (1.0 + (1.0 + slopes.square().sum(-3, keepdim=True)).sqrt())


def to_slopes(stereographic: Tensor) -> Tensor:
    """Give the slopes of stereographic coordinates [..., 2, row, col]; what lies too far out is drawn in."""
    radius = stereographic.square().sum(-3, keepdim=True).clamp(min=1e-12).sqrt()
    inside = stereographic * (_FARTHEST / radius).clamp(max=1.0)
    return -2.0 * inside / (1.0 - inside.square().sum(-3, keepdim=True))
