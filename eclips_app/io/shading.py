"""Estimating where the segments of the detector stand from the images alone, so that a wrong order is seen.

Divided by their sum, segment images are to first order linear in the slopes, ``I_k / I - 1 = -M_k . (p, q)``, with `M_k` along
the segment's azimuth. A singular value decomposition gives the plane of the two slopes. In it, segments that are alike and spread
evenly leave one unknown rotation, with or without a mirror image. Slopes of one surface have no curl
(``dp/dy = dq/dx``), which fixes both, up to the sign of the whole surface: turning all segments by 180 degrees turns hills
into pits. The sign is a weaker guess: hollows are darker, since their walls keep electrons from the detector.

The linear model and the decomposition are photometric stereo with unknown lights (Hayakawa, J. Opt. Soc. Am. A 11
(1994) 3079); that integrability fixes the rest is from Belhumeur, Kriegman and Yuille, Int. J. Comput. Vision 35 (1999) 33.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Images are averaged down to about this edge; the order shows at any scale, and drift between segments shrinks with it.
_EDGE_PX = 192
#: Largest drift between segments, as a part of the edge.
_DRIFT = 1 / 32
#: Widths (standard deviations, in reduced pixels) of the band in which hollows are compared with darkness.
_HOLLOWS_PX = (8.0, 16.0)
#: Correlation of darkness with depth at which the sign of the surface is taken as seen.
_CLEAR_SIGN = 0.15


@dataclass(frozen=True)
class ShadingGuess:
    """Azimuths in degrees, one for each image, and two confidences from 0 to 1.

    `order` is the confidence in the azimuths up to turning all of them by 180 degrees, `sign` (0.5 to 1) in not turning them.
    """

    azimuths_deg: tuple[float, ...]
    order: float
    sign: float


def guess_from_shading(images: Sequence[NDArray[Any]]) -> ShadingGuess | None:
    """Estimate the azimuth of each segment from its images [row, col] of equal size, three or more.

    Returns
    -------
    ShadingGuess or None
        None if the images hold no shading (all alike, or without contrast).
    """
    if len(images) < 3 or min(images[0].shape) < 24:
        return None
    reduced = _aligned(np.stack([_reduce(image) for image in images]))
    medians = np.median(reduced, axis=(1, 2), keepdims=True)
    if not (medians > 0).all():
        return None
    relative = reduced / medians
    total = relative.mean(axis=0)
    shading = relative / np.maximum(total, 0.05) - 1.0
    vectors, values, slopes = _slope_plane(shading)
    if values[1] <= 1e-9:
        return None
    turn, order = _turn_without_curl(slopes)
    order *= 1.0 - _third_part(values)
    directions = vectors @ turn.T  # of the segments, in the frame of the specimen, up to a common sign
    normals = np.tensordot(turn, slopes, 1)  # x and y components of the surface normal, not scaled
    depth = _darkness_against_depth(normals, total)
    if depth < 0:
        directions = -directions
    azimuths = np.degrees(np.arctan2(directions[:, 1], directions[:, 0]))
    sign = 0.5 + 0.25 * min(1.0, abs(depth) / _CLEAR_SIGN)
    return ShadingGuess(tuple(float(a) for a in azimuths), order, sign)


def _reduce(image: NDArray[Any]) -> NDArray[np.float64]:
    """Average blocks of pixels; the sums are taken in one pass over the rows, without a copy of the image."""
    block = max(1, -(-max(image.shape) // _EDGE_PX))
    rows, columns = image.shape[0] // block, image.shape[1] // block
    reduced = np.empty((rows, columns))
    for row in range(rows):
        strip = image[row * block : (row + 1) * block, : columns * block].sum(axis=0, dtype=np.float64)
        reduced[row] = strip.reshape(columns, block).sum(axis=1)
    reduced /= block**2
    return reduced


def _aligned(stack: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo whole-pixel drift against the first image by phase correlation of gradient magnitudes, and cut the edges."""
    largest = max(1, round(_DRIFT * max(stack.shape[1:])))
    reference = _edges(stack[0])
    moved = [np.roll(image, _drift(reference, _edges(image), largest), (0, 1)) for image in stack]
    return np.stack(moved)[:, largest:-largest, largest:-largest]


def _edges(image: NDArray[np.float64]) -> NDArray[np.complex128]:
    from scipy import ndimage

    magnitude = ndimage.gaussian_gradient_magnitude(image, 1.0)
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    spectrum: NDArray[np.complex128] = np.fft.rfft2((magnitude - magnitude.mean()) * window)
    return spectrum


def _drift(reference: NDArray[np.complex128], other: NDArray[np.complex128], largest: int) -> tuple[int, int]:
    cross = reference * np.conj(other)
    scale = np.abs(cross)
    # The whitening is partial: full phase correlation would weigh frequencies that hold only noise like all others.
    surface = np.fft.irfft2(cross / (scale**0.7 + 1e-9 * scale.max() + 1e-300))
    shifts = np.arange(-largest, largest + 1)
    near = surface[np.ix_(shifts, shifts)]
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    return int(shifts[row]), int(shifts[column])


def _slope_plane(
    shading: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Split [segment, row, col] into segment vectors [segment, 2] and two slope images; values are shares of the energy."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(shading, (0, 0.8, 0.8))
    flat = (smooth - smooth.mean(axis=0)).reshape(len(shading), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    values, vectors = values[::-1], vectors[:, ::-1]
    plane = vectors[:, :2]
    energy = np.maximum(values, 0.0) / max(float(values.sum()), 1e-300)
    return plane, energy, (plane.T @ flat).reshape(2, *shading.shape[1:])


def _turn_without_curl(slopes: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Find the rotation, with or without mirroring, that leaves the least curl; also a confidence from 0 to 1."""
    u, v = slopes
    ux, uy, vx, vy = *_gradient(u), *_gradient(v)
    # With p = a u - b v, q = b u + a v the curl dp/dy - dq/dx is a (uy - vx) - b (vy + ux); mirrored, b (vy - ux) + a (uy + vx).
    curls = ((uy - vx, -(vy + ux)), (uy + vx, vy - ux))
    best = []
    for first, second in curls:
        gram = np.array([[np.vdot(first, first), np.vdot(first, second)], [0.0, np.vdot(second, second)]])
        values, vectors = np.linalg.eigh(gram, UPLO="U")
        best.append((float(values[0]), float(values[1]), vectors[:, 0]))
    mirrored = best[1][0] < best[0][0]
    least, most, (a, b) = best[mirrored]
    other = best[not mirrored][0]
    turn = np.array([[a, b], [b, -a]]) if mirrored else np.array([[a, -b], [b, a]])
    confidence = (1.0 - (least / max(other, 1e-300)) ** 2) * (1.0 - least / max(most, 1e-300))
    return turn, float(np.clip(confidence, 0.0, 1.0))


def _gradient(image: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Central differences along x (columns) and y (up, against the rows)."""
    return image[1:-1, 2:] - image[1:-1, :-2], image[:-2, 1:-1] - image[2:, 1:-1]


def _third_part(values: NDArray[np.float64]) -> float:
    """How far the energy outside the plane of slopes comes up to the weaker slope, 0 to 1."""
    outside = float(values[2]) if values.size > 2 else 0.0
    return float(np.clip(outside / max(float(values[1]), 1e-300), 0.0, 1.0)) ** 2


def _darkness_against_depth(normals: NDArray[np.float64], total: NDArray[np.float64]) -> float:
    """Correlate brightness with height in bands of some coarse scales; positive if hollows are dark."""
    from scipy import ndimage

    height = _integrate(-normals[0], -normals[1])
    found = []
    for width in _HOLLOWS_PX:
        relief = height - ndimage.gaussian_filter(height, width)
        light = total - ndimage.gaussian_filter(total, width)
        spread = float(relief.std() * light.std())
        found.append(float(np.mean(relief * light)) / spread if spread > 0 else 0.0)
    return float(np.mean(found))


def _integrate(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate slopes (y up) by least squares: Poisson's equation with free edges, solved by cosine transforms."""
    from scipy import fft

    along, down = (p[:, 1:] + p[:, :-1]) / 2, -(q[1:] + q[:-1]) / 2
    source = np.zeros_like(p)
    source[:, :-1] += along
    source[:, 1:] -= along
    source[:-1] += down
    source[1:] -= down
    rows, columns = (2.0 * np.cos(np.pi * np.arange(n) / n) - 2.0 for n in p.shape)
    laplacian = rows[:, None] + columns[None, :]
    laplacian[0, 0] = 1.0
    spectrum = fft.dctn(source, norm="ortho") / laplacian
    spectrum[0, 0] = 0.0
    height: NDArray[np.float64] = fft.idctn(spectrum, norm="ortho")
    return height
