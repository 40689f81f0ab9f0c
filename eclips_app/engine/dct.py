"""Orthonormal two-dimensional cosine transform (types II and III) in place, on CPU and CUDA.

On the CPU SciPy's transform runs over blocks of lines of fixed size, so that the bits do not depend on the number of
threads and a waiting user can stop it between blocks. On CUDA the same transform is made from an FFT (Makhoul 1980,
IEEE Trans. ASSP 28, 27).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

_BLOCK_ELEMENTS = 1 << 18  #: some milliseconds of work each
RINGS = 48  #: of spatial frequency


def nothing() -> None:
    """Check of someone who never cancels."""


def dct2(field: Tensor, check: Callable[[], None] = nothing) -> Tensor:
    """Transform `field` [row, col] to cosine coefficients, in place where the device allows; gives the result."""
    return _transform(field, scipy.fft.dct, dct_by_fft, check)


def idct2(field: Tensor, check: Callable[[], None] = nothing) -> Tensor:
    """Transform cosine coefficients [row, col] back, in place where the device allows; gives the result."""
    return _transform(field, scipy.fft.idct, idct_by_fft, check)


def eigenvalues(count: int) -> NDArray[np.float64]:
    """Eigenvalues of the one-dimensional Laplacian with free ends, ``2 - 2 cos(pi i / count)``."""
    return 4.0 * np.sin(np.pi * np.arange(count) / (2 * count)) ** 2


def rings(shape: tuple[int, int], rows: slice) -> NDArray[np.intp]:
    """Give the ring of each cosine mode [row, col] of some rows; their widths grow with the logarithm of the frequency."""
    longest = max(shape)
    along = [np.arange(n) * (longest / n) for n in shape]
    frequency = np.hypot(along[0][rows, None], along[1][None, :])
    number = np.log(np.maximum(frequency, 1.0)) / np.log(np.sqrt(2.0) * longest) * RINGS
    found: NDArray[np.intp] = np.minimum(number.astype(np.intp), RINGS - 1)
    return found


def _transform(
    field: Tensor,
    on_cpu: Callable[..., NDArray[np.floating]],
    by_fft: Callable[[Tensor], Tensor],
    check: Callable[[], None],
) -> Tensor:
    if field.device.type != "cpu":
        return by_fft(by_fft(field).T).T.contiguous()
    lines = field.numpy()
    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        for axis in (1, 0):
            across = 1 - axis
            step = max(1, _BLOCK_ELEMENTS // lines.shape[axis])
            starts = range(0, lines.shape[across], step)
            blocks = [lines[a : a + step] if axis == 1 else lines[:, a : a + step] for a in starts]

            def run(block: NDArray[np.floating], axis: int = axis) -> None:
                block[...] = on_cpu(block, axis=axis, norm="ortho")

            for _ in pool.map(run, blocks):
                check()
    return field


def dct_by_fft(x: Tensor) -> Tensor:
    """Orthonormal DCT-II along the last axis by an FFT of the same length."""
    n = x.shape[-1]
    order = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], dim=-1)
    spectrum = torch.fft.fft(order, dim=-1)
    result: Tensor = (spectrum * _phase(n, -1, x)).real * (2.0 / n) ** 0.5
    result[..., 0] *= 0.5**0.5
    return result


def idct_by_fft(x: Tensor) -> Tensor:
    """Inverse of `dct_by_fft`."""
    n = x.shape[-1]
    scaled = x * (n / 2.0) ** 0.5
    scaled[..., 0] *= 2.0**0.5
    mirrored = torch.zeros_like(scaled)
    mirrored[..., 1:] = scaled[..., 1:].flip(-1)
    order = torch.fft.ifft(torch.complex(scaled, -mirrored) * _phase(n, 1, x), dim=-1).real
    result = torch.empty_like(x)
    result[..., ::2] = order[..., : (n + 1) // 2]
    result[..., 1::2] = order[..., (n + 1) // 2 :].flip(-1)
    return result


def _phase(n: int, sign: int, like: Tensor) -> Tensor:
    angle = torch.arange(n, dtype=torch.float64) * (sign * np.pi / (2 * n))
    return torch.polar(torch.ones_like(angle), angle).to(like.device, torch.promote_types(like.dtype, torch.complex64))
