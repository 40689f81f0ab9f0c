"""From the signal at each height sample to the pixels of an image: delocalisation, probe and pixel area, one linear operator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from scipy.fft import next_fast_len
from torch.nn.functional import pad

from eclips_app.engine.optics.watch import check

_SIGMA_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
_CUT = 4.0  #: standard deviations after which the probe ends
_VALUES = 1 << 20  #: transformed between two checks for cancellation


@dataclass(frozen=True)
class PixelResponse:
    """Blur by the probe and by where electrons leave, then average over the area of each pixel.

    The signal is spread, not the surface. Beyond the border the signal goes on as it is at the border. All of it is linear and
    has both kinds of derivatives.

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
        taps = self._taps()
        if len(taps) == 1:
            return signal
        found: torch.Tensor = _Separable.apply(signal, taps, self.subpixels)  # type: ignore[no-untyped-call]
        return found

    def adjoint(self, pixels: torch.Tensor) -> torch.Tensor:
        """Give the samples that the adjoint operator makes of pixels."""
        taps = self._taps()
        samples = pixels if len(taps) == 1 else _gather_adjoint(pixels, taps, self.subpixels)
        if self.exit_kernel is None:
            return samples
        start = torch.zeros_like(samples, requires_grad=True)
        return torch.autograd.grad(_convolve(start, self.exit_kernel.to(samples)), start, samples)[0]

    def _taps(self) -> tuple[float, ...]:
        """Give the weights of the samples about a pixel along one axis: the Gaussian, averaged over the pixel's samples."""
        reach = int(_CUT * self.probe_sigma + 0.5)
        bell = [math.exp(-0.5 * (i / self.probe_sigma) ** 2) if i else 1.0 for i in range(-reach, reach + 1)]
        share = 1.0 / (sum(bell) * self.subpixels)
        taps = [0.0] * (len(bell) + self.subpixels - 1)
        for sample in range(self.subpixels):
            for i, height in enumerate(bell):
                taps[sample + i] += share * height
        return tuple(taps)


def probe_sigma(fwhm_nm: float, spacing_nm: float) -> float:
    """Give the standard deviation in samples of a Gaussian of a full width at half maximum in nm."""
    return fwhm_nm * _SIGMA_PER_FWHM / spacing_nm


class _Separable(torch.autograd.Function):
    """The same taps along rows and columns, at every `step`-th place; its own derivative, since it is linear."""

    @staticmethod
    def forward(signal: torch.Tensor, taps: tuple[float, ...], step: int) -> torch.Tensor:
        return _gather(signal, taps, step)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        _, ctx.taps, ctx.step = inputs

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _gather_adjoint(gradient, ctx.taps, ctx.step), None, None

    @staticmethod
    def jvp(ctx: Any, change: torch.Tensor, *_: None) -> torch.Tensor:
        return _gather(change, ctx.taps, ctx.step)


def _gather(signal: torch.Tensor, taps: tuple[float, ...], step: int) -> torch.Tensor:
    reach = _reach(taps, step)
    for axis, margins in ((-2, (0, 0, reach, reach)), (-1, (reach, reach, 0, 0))):
        wide = pad(signal[None], margins, mode="replicate")[0]
        count = signal.shape[axis] // step * step
        signal = taps[0] * _every(wide, axis, 0, count, step)
        for i, tap in enumerate(taps[1:], 1):
            check()
            signal.add_(_every(wide, axis, i, count, step), alpha=tap)
    return signal


def _gather_adjoint(pixels: torch.Tensor, taps: tuple[float, ...], step: int) -> torch.Tensor:
    reach = _reach(taps, step)
    for axis in (-1, -2):
        count = pixels.shape[axis] * step
        shape = list(pixels.shape)
        shape[axis] = count + 2 * reach
        wide = pixels.new_zeros(shape)
        for i, tap in enumerate(taps):
            _every(wide, axis, i, count, step).add_(pixels, alpha=tap)
        pixels = wide.narrow(axis, reach, count).contiguous()
        pixels.narrow(axis, 0, 1).add_(wide.narrow(axis, 0, reach).sum(axis, keepdim=True))
        pixels.narrow(axis, count - 1, 1).add_(wide.narrow(axis, reach + count, reach).sum(axis, keepdim=True))
    return pixels


def _every(wide: torch.Tensor, axis: int, first: int, count: int, step: int) -> torch.Tensor:
    """Give every `step`-th of `count` samples along an axis, as a view."""
    return wide[..., first : first + count : step] if axis == -1 else wide[..., first : first + count : step, :]


def _reach(taps: tuple[float, ...], step: int) -> int:
    """Give the samples that the taps need beyond each end."""
    return (len(taps) - step) // 2


def _convolve(signal: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Convolve with a kernel [n, n] by Fourier transforms: that of high energies spans hundreds of samples.

    Rows and columns are transformed in bands, so that little memory is held and a step can be stopped.
    """
    reach = kernel.shape[0] // 2
    # So wide a circle suffices: what goes around it ends up in the padding alone.
    rows, columns = (next_fast_len(n + 2 * reach, real=True) for n in signal.shape[1:])
    spectrum = torch.fft.rfft(kernel, n=columns)
    return torch.stack([_convolve_one(one, spectrum, rows, columns, reach) for one in signal])


def _convolve_one(signal: torch.Tensor, spectrum: torch.Tensor, rows: int, columns: int, reach: int) -> torch.Tensor:
    """Convolve [row, col] with a kernel given by the transform of its rows, on a circle of `rows` x `columns`."""
    height, width = signal.shape
    padded = torch.arange(-reach, height + reach, device=signal.device).clamp(0, height - 1)
    waves = torch.cat([torch.fft.rfft(_wide(band, reach), n=columns) for band in _bands(signal, 0, columns)])
    product = []
    for band, factor in zip(_bands(waves, 1, rows), _bands(spectrum, 1, rows), strict=True):
        down = torch.fft.fft(band[padded], n=rows, dim=0) * torch.fft.fft(factor, n=rows, dim=0)
        product.append(torch.fft.ifft(down, dim=0)[2 * reach : 2 * reach + height])
    spread = _bands(torch.cat(product, 1), 0, columns)
    return torch.cat([torch.fft.irfft(band, n=columns)[:, 2 * reach : 2 * reach + width] for band in spread])


def _wide(rows: torch.Tensor, reach: int) -> torch.Tensor:
    """Repeat the first and the last value of each row."""
    return pad(rows[None], (reach, reach), mode="replicate")[0]


def _bands(values: torch.Tensor, along: int, length: int) -> Iterator[torch.Tensor]:
    """Give bands of lines that are transformed to `length` values, with a check before each."""
    for band in torch.split(values, max(1, _VALUES // length), along):
        check()
        yield band
