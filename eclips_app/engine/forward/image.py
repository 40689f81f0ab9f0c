"""From the signal at each height sample to the pixels of an image: delocalisation, probe and pixel area, one linear operator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d, conv2d, pad

_SIGMA_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
_CUT = 4.0  #: standard deviations after which the probe ends


@dataclass(frozen=True)
class PixelResponse:
    """Blur by the probe and by where electrons leave, then average over the area of each pixel.

    The signal is spread, not the surface. Beyond the border the signal goes on as it is at the border. All of it is linear and
    made of Torch operations, so it has both kinds of derivatives.

    Attributes
    ----------
    subpixels : int
        Samples along each edge of a pixel.
    probe_sigma : float
        Standard deviation of the Gaussian probe, in samples.
    exit_kernel : tensor [n, n], optional
        Distribution of the places where electrons leave about the probe, on samples, sum 1, n odd.
    """

    subpixels: int = 1
    probe_sigma: float = 0.0
    exit_kernel: torch.Tensor | None = None

    def __call__(self, signal: torch.Tensor) -> torch.Tensor:
        """Give the pixels [k, row, col] of a signal on samples [k, row * subpixels, col * subpixels]."""
        if self.exit_kernel is not None:
            signal = _convolve(signal, self.exit_kernel.to(signal))
        if self.probe_sigma > 0:
            signal = _gaussian(signal, self.probe_sigma)
        return avg_pool2d(signal[None], self.subpixels)[0] if self.subpixels > 1 else signal


def probe_sigma(fwhm_nm: float, spacing_nm: float) -> float:
    """Give the standard deviation in samples of a Gaussian of a full width at half maximum in nm."""
    return fwhm_nm * _SIGMA_PER_FWHM / spacing_nm


def _gaussian(signal: torch.Tensor, sigma: float) -> torch.Tensor:
    reach = int(_CUT * sigma + 0.5)
    if reach == 0:
        return signal
    at = torch.arange(-reach, reach + 1, dtype=signal.dtype, device=signal.device)
    bell = torch.exp(-0.5 * (at / sigma) ** 2)
    bell = (bell / bell.sum()).reshape(1, 1, 1, -1)
    wide = pad(signal[:, None], (reach, reach, reach, reach), mode="replicate")
    return conv2d(conv2d(wide, bell), bell.transpose(2, 3))[:, 0]


def _convolve(signal: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Convolve by Fourier transform: the kernel of high energies spans hundreds of samples."""
    reach = kernel.shape[0] // 2
    rows, columns = signal.shape[1:]
    wide = pad(signal[:, None], (reach, reach, reach, reach), mode="replicate")[:, 0]
    size = tuple(n + kernel.shape[0] - 1 for n in wide.shape[1:])
    product = torch.fft.rfft2(wide, s=size) * torch.fft.rfft2(kernel, s=size)
    spread: torch.Tensor = torch.fft.irfft2(product, s=size)[
        :, 2 * reach : 2 * reach + rows, 2 * reach : 2 * reach + columns
    ]
    return spread
