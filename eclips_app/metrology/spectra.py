"""Power spectral densities and autocorrelation of profiles and areas.

Wavenumbers q are in rad/nm. The densities are those of Jacobs, Junge & Pastewka, Surf. Topogr.: Metrol. Prop. 5 (2017) 013001:
of a profile C(q) in nm³ with ``hrms² = (1/pi) Int C dq``; of an area C(q) in nm⁴ with ``hrms² = 1/(4 pi²) Int Int C d²q``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, fftfreq, ifft2, next_fast_len, rfft, rfftfreq
from scipy.ndimage import map_coordinates

from eclips_app.core.errors import EclipsError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A power spectral density [n] over wavenumbers [n] (rad/nm), without the mean; and the mean square it adds up to."""

    q: Floats
    density: Floats
    mean_square: float

    @property
    def dominant_wavelength_nm(self) -> float:
        """Wavelength of the density's highest peak, refined by a parabola through its logarithm."""
        at = int(self.density.argmax())
        if at in (0, len(self.q) - 1) or not np.all(self.density[at - 1 : at + 2] > 0):
            return 2 * math.pi / float(self.q[at])
        a, b, c = np.log(self.density[at - 1 : at + 2])
        shift = 0.5 * (a - c) / (a - 2 * b + c) if a - 2 * b + c < 0 else 0.0
        return 2 * math.pi / float(self.q[at] + shift * (self.q[at + 1] - self.q[at]))


def of_profile(height: Floats, step_nm: float, window: str = "hann") -> Spectrum:
    """Give the density in nm³ of heights [point] without holes; a window keeps the mean square on average."""
    shape = _window(len(height), window)
    amplitude = rfft(height * shape) * step_nm
    length = len(height) * step_nm
    density = np.abs(amplitude) ** 2 / (length * float((shape**2).mean()))
    q = 2 * math.pi * rfftfreq(len(height), step_nm)
    both = np.full(len(q), 2.0)
    if len(height) % 2 == 0:
        both[-1] = 1.0  # the highest wavenumber has no partner of the other sign
    square = float((both[1:] * density[1:]).sum()) / length
    return Spectrum(q[1:], density[1:], square)


def of_area(height: Floats, size_nm: tuple[float, float], window: str = "hann") -> tuple[Spectrum, Floats]:
    """Give the radially averaged density in nm⁴ of heights [row, col] without holes, and the density [row, col] itself.

    The mean square is that of the whole area's density. Rings are as wide as the coarser of both wavenumber steps and
    reach to the lower of both Nyquist wavenumbers. The map's zero wavenumber is in its middle.

    Raises
    ------
    EclipsError
        If no whole ring lies within.
    """
    rows, columns = height.shape
    shape = np.outer(_window(rows, window), _window(columns, window))
    area = rows * columns * size_nm[0] * size_nm[1]
    amplitude = fft2(height * shape) * (size_nm[0] * size_nm[1])
    density = np.abs(amplitude) ** 2 / (area * float((shape**2).mean()))
    qx, qy = 2 * math.pi * fftfreq(columns, size_nm[0]), 2 * math.pi * fftfreq(rows, size_nm[1])
    q = np.hypot(qx, qy[:, None])
    step = max(2 * math.pi / (columns * size_nm[0]), 2 * math.pi / (rows * size_nm[1]))
    ring = np.rint(q / step).astype(np.intp)
    last = int(min(np.abs(qx).max(), np.abs(qy).max()) / step)
    if last < 1:
        raise EclipsError("the area is too narrow for a spectrum", hint="Draw it larger in both directions.")
    count = np.bincount(ring.ravel())[: last + 1]
    radial = np.bincount(ring.ravel(), density.ravel())[: last + 1] / np.maximum(count, 1)
    mean_q = np.bincount(ring.ravel(), q.ravel())[: last + 1] / np.maximum(count, 1)
    square = float(density.sum() - density[0, 0]) / area
    return Spectrum(mean_q[1:], radial[1:], square), np.fft.fftshift(density)


def autocorrelation_of_profile(height: Floats, used: NDArray[np.bool_]) -> Floats:
    """Give the autocorrelation [lag] of heights from their mean, 1 at lag 0, up to half the length.

    Each lag is divided by the number of pairs, so that it does not fall just because pairs get few.
    """
    z, m = _centred(height, used)
    size = next_fast_len(2 * len(z))
    pairs = np.fft.irfft(np.abs(np.fft.rfft(m, size)) ** 2, size)
    products = np.fft.irfft(np.abs(np.fft.rfft(z, size)) ** 2, size)
    found: Floats = (products / np.maximum(np.rint(pairs), 1))[: len(z) // 2 + 1]
    return found / found[0] if found[0] > 0 else found


def autocorrelation_of_area(height: Floats, used: NDArray[np.bool_]) -> Floats:
    """Give the autocorrelation [row lag, column lag] of heights from their mean, lag 0 in the middle, 1 there.

    Lags reach to half of each side; each is divided by the number of pairs.
    """
    z, m = _centred(height, used)
    size = [next_fast_len(2 * n) for n in z.shape]
    products = ifft2(np.abs(fft2(z, size)) ** 2).real
    pairs = ifft2(np.abs(fft2(m, size)) ** 2).real
    full = np.fft.fftshift(products / np.maximum(np.rint(pairs), 1))
    r, c = (n // 2 for n in size)
    half_r, half_c = (n // 2 for n in z.shape)
    found: Floats = full[r - half_r : r + half_r + 1, c - half_c : c + half_c + 1]
    top = float(full[r, c])
    return found / top if top > 0 else found


def angular_amplitude(height: Floats, size_nm: tuple[float, float], step_deg: float = 0.5) -> tuple[Floats, Floats]:
    """Give angles [n] in degrees (0: image right, 90: image up; below 180) and the spectrum's amplitude along each.

    The amplitude of the windowed heights is integrated over the wavenumber from one step to the lower Nyquist wavenumber
    (angular amplitude density, ISO 25178-2:2021, 3.2.15).
    """
    rows, columns = height.shape
    shape = np.outer(_window(rows, "hann"), _window(columns, "hann"))
    amplitude = np.fft.fftshift(np.abs(fft2(height * shape)))
    fx, fy = 1 / (columns * size_nm[0]), 1 / (rows * size_nm[1])
    radii = np.arange(2.0, min(columns * fx, rows * fy) / 2 / max(fx, fy)) * max(fx, fy)
    angles = np.arange(0.0, 180.0, step_deg)
    turn = np.radians(angles)[:, None]
    at = np.stack([rows // 2 - radii * np.sin(turn) / fy, columns // 2 + radii * np.cos(turn) / fx])
    return angles, map_coordinates(amplitude, at, order=1, mode="nearest").sum(axis=1)


def _window(size: int, kind: str) -> Floats:
    return np.ones(size) if kind == "none" else np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))


def _centred(height: Floats, used: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    z = np.where(used, height, 0.0)
    z = np.where(used, z - z.sum() / max(np.count_nonzero(used), 1), 0.0)
    return z, used.astype(np.float64)
