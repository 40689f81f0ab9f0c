"""Linear reconstruction: slopes from the acceptance vectors, height by least squares, with its noise and residuals.

Without shadow the signal of segment k is ``y_k = b . A_k`` with ``b = S n`` (S: yield and material factor). The least
squares estimate of b in each pixel gives the slopes ``p = -bx/bz`` and ``q = -by/bz`` (x right, y up) whatever S is. Where a
calibration knows the emission, slopes are read by its table instead (`linear_emission`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, Reconstruct, StepResult
from eclips_app.engine import solve
from eclips_app.engine.device import choose_device, one_thread
from eclips_app.engine.fill import BLOCK_PX, block_means
from eclips_app.engine.geometry import geometry
from eclips_app.engine.integrators import Integration, integrate_by
from eclips_app.engine.linear_emission import Readings, readings
from eclips_app.engine.noise import noise_scale
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.prepare import Signals, level_gains
from eclips_app.engine.uncertainty import height_std

Float = NDArray[np.float32]

_TILE_PIXELS = 1 << 16  #: small enough that the planes of a tile stay in the cache
_PREVIEW = 256
#: Slopes are limited to this tilt; nothing steeper can be read from a signal above the specimen.
STEEPEST_DEG = 87.0


class LinearReconstruction:
    """One run; the arrays fill up step by step. All planes are float32 [row, col] of the crop's size."""

    def __init__(self, arrays: Arrays, params: Reconstruct, context: Context) -> None:
        self.params, self.context = params, context
        self.device = choose_device(params.device)
        self.signals = Signals(arrays, params)
        rows, columns = self.signals.shape
        shape = arrays["segments"].shape
        with watched(context.check):
            self.geometry = geometry(params, self.signals.crop, (shape[1], shape[2]))
        if params.balance == "level":
            self.signals.gains = self.signals.gains * level_gains(self.signals, self.geometry.vectors[:, 2])
        self.b = np.empty((3, rows, columns), np.float32)  #: S n
        self.variance = np.empty((rows, columns), np.float32)  #: var(p) + var(q) for signal noise of scale 1
        self.mask = np.empty((rows, columns), bool)
        self.counts = {"two_segments": 0, "masked": 0, "limited": 0}
        step = max(1, _TILE_PIXELS // columns)
        self.tiles = [(a, min(rows, a + step)) for a in range(0, rows, step)]

    @cached_property
    def readings(self) -> Readings | None:
        """How slopes are read where the emission is calibrated; made when heights or normals are asked for."""
        with watched(self.context.check):
            return readings(self.params.detector)

    def slopes(self) -> None:
        """Estimate b everywhere, correct the scan parallax, and leave p and q in the first two planes of `b`."""
        lone = np.zeros(self.signals.shape, bool)
        for number, (first, end) in enumerate(self.tiles):
            signals, usable = self.signals.rows(first, end)
            found = solve.solve(self._tensor(signals), usable, self.geometry.vectors)
            self.b[:, first:end] = found.b.cpu().numpy()
            self.variance[first:end] = found.slope_variance.cpu().numpy()
            self.mask[first:end] = found.solved.cpu().numpy()
            lone[first:end] = ~self.mask[first:end] & (usable.sum(axis=0) == 2)
            self.context.progress(0.05 + 0.4 * (number + 1) / len(self.tiles), "solving for the normals")
        if lone.any():
            self._solve_two(lone)
        for first, end in self.tiles:
            self._finish_slopes(first, end)
            self.context.check()
        if not self.mask.any():
            raise EclipsError(
                "no pixel has three usable segments",
                hint="Loosen the clip levels or the excluded areas, or check the offsets.",
            )
        self.counts["masked"] = int(self.mask.size - np.count_nonzero(self.mask))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _solve_two(self, lone: NDArray[np.bool_]) -> None:
        """Fill pixels that have two usable segments, with the material factor of the solved pixels around them."""
        if not self.mask.any():
            return
        near = block_means(self.b, self.mask)
        noise = block_means(self.variance[None], self.mask)[0]
        for first, end in self.tiles:
            here = lone[first:end]
            if not here.any():
                continue
            rows, columns = np.nonzero(here)
            at = (rows + first) // BLOCK_PX, columns // BLOCK_PX
            signals, usable = self.signals.rows(first, end)
            b_near = near[:, at[0], at[1]]
            length = np.sqrt((b_near**2).sum(axis=0))
            b = solve.from_two(signals[:, here], usable[:, here], self.geometry.vectors, length, b_near)
            self.b[:, first:end][:, here] = b
            self.variance[first:end][here] = noise[at]
            self.context.check()
        self.mask |= lone
        self.counts["two_segments"] = int(np.count_nonzero(lone))

    def _finish_slopes(self, first: int, end: int) -> None:
        """Correct the scan parallax, limit the tilt, drop dark pixels; b becomes (p, q, S) in place."""
        g = self.geometry
        b = self._tensor(self.b[:, first:end])
        if self.params.scan_parallax:
            x, y = self._position(first, end)
            mixing = zip(g.mixing_x.tolist(), g.mixing_y.tolist(), strict=True)
            b = b - torch.stack([x * solve.predict(b, mx) + y * solve.predict(b, my) for mx, my in mixing])
        length = (b[0] ** 2 + b[1] ** 2 + b[2] ** 2).sqrt()
        lowest = length * float(np.cos(np.deg2rad(STEEPEST_DEG)))
        good = self._tensor(self.mask[first:end]) & (length > 0) & torch.isfinite(length)
        limited = good & (b[2] < lowest)
        up = torch.where(good, torch.maximum(b[2], lowest), torch.ones_like(length))
        zero = torch.zeros_like(length)
        self.b[0, first:end] = torch.where(good, -b[0] / up, zero).cpu().numpy()
        self.b[1, first:end] = torch.where(good, -b[1] / up, zero).cpu().numpy()
        self.b[2, first:end] = length.cpu().numpy()
        self.mask[first:end] = good.cpu().numpy()
        self.counts["limited"] += int(np.count_nonzero(limited.cpu().numpy()))

    def preview(self) -> None:
        """Show the height of a strided copy of the image, which takes a few milliseconds."""
        step = max(1, max(self.signals.shape) // _PREVIEW)
        p, q, mask = (
            torch.from_numpy(np.ascontiguousarray(a[::step, ::step])) for a in (self.b[0], self.b[1], self.mask)
        )
        if min(p.shape) < 4:
            return
        height, _ = integrate_by("least-squares", p, q, mask)
        height *= self.params.pixel_size_nm * step
        self.context.preview("height", height.numpy(), pixel_size_nm=self.params.pixel_size_nm * step)

    def height(self) -> tuple[Float, Integration]:
        """Integrate the slopes to a height in nm."""
        p, q = (self._tensor(each) for each in self._true_slopes())
        mask = None if self.mask.all() else self._tensor(self.mask)
        height, how = integrate_by(
            self.params.integrator, p, q, mask,
            lambda part: self.context.progress(0.5 + 0.25 * part, "integrating the slopes"),
        )  # fmt: skip
        height *= self.params.pixel_size_nm
        return height.cpu().numpy(), how

    def _true_slopes(self) -> tuple[Float, Float]:
        """Give the slopes that facets have of which p and q were read."""
        if self.readings is None:
            return self.b[0], self.b[1]
        p, q = np.empty_like(self.b[0]), np.empty_like(self.b[1])
        for first, end in self.tiles:
            p[first:end], q[first:end], _ = self.readings.true(self.b[0, first:end], self.b[1, first:end])
            self.context.check()
        return p, q

    def correct(self, normals: Float, rho: Float) -> None:
        """Turn normals and brightness as read, in place, into those that facets have."""
        if self.readings is None:
            return
        for first, end in self.tiles:
            x, y, z = normals[:, first:end]
            p, q, bright = self.readings.true(-x / z, -y / z)
            z[:] = 1.0 / np.sqrt(1.0 + p**2 + q**2)
            x[:], y[:] = -p * z, -q * z
            rho[first:end] /= bright

    def noise(self) -> tuple[float, float]:
        """Give the noise scale s (var(signal) = s^2 signal) and the standard deviation of each slope."""
        p, q, variance, mask = (self._tensor(a) for a in (self.b[0], self.b[1], self.variance, self.mask))
        scale = noise_scale(p, q, variance, mask, self.context.check)
        total = 0.0
        for first, end in self.tiles:
            total += float(self.variance[first:end][self.mask[first:end]].sum(dtype=np.float64))  # no value outside
            self.context.check()
        mean = total / np.count_nonzero(self.mask)
        gain = 1.0 if self.readings is None else self.readings.gain
        return scale, scale * (mean / 2) ** 0.5 / gain

    def normals(self) -> Float:
        """Turn (p, q) in place into unit normals; |b| is taken out first with `rho`."""
        for first, end in self.tiles:
            p, q = self._tensor(self.b[0, first:end]), self._tensor(self.b[1, first:end])
            z = (1 + p * p + q * q).rsqrt()
            for plane, value in zip(self.b, (-p * z, -q * z, z), strict=True):
                plane[first:end] = value.cpu().numpy()
            self.context.check()
        return self.b

    def rho(self) -> Float:
        """Give |b| as measured; NaN where masked."""
        length: Float = self.b[2].copy()
        length[~self.mask] = np.nan
        return length

    def residuals(self, normals: Float, length: Float, scale: float) -> tuple[Float, Float]:
        """Give measured minus model [k, row, col] in grey values and chi-square per degree of freedom [row, col].

        Chi-square is the squared residual of all segments over what noise of variance ``scale^2 signal`` leaves on average.
        """
        k = self.signals.count
        residual = np.empty((k, *self.signals.shape), np.float32)
        chi2 = np.empty(self.signals.shape, np.float32)
        hat = self.geometry.vectors @ np.linalg.pinv(self.geometry.vectors)
        left = (1.0 - np.diag(hat)).tolist()  # share of a segment's noise that the fit leaves in the residuals
        for number, (first, end) in enumerate(self.tiles):
            signals, usable = self.signals.rows(first, end)
            b = self._tensor(normals[:, first:end]) * self._tensor(length[first:end])
            total, noise = torch.zeros_like(b[0]), torch.zeros_like(b[0])
            floor = solve.NOISE_FLOOR * b[2]
            for i, model in enumerate(self._model(b, first, end)):
                off = self._tensor(signals[i]) - model
                total += off * off
                noise += left[i] * torch.maximum(model, floor)
                seen = usable[i] & self.mask[first:end]
                grey = off.cpu().numpy() * np.float32(self.signals.gains[i])
                residual[i, first:end] = np.where(seen, grey, np.float32(np.nan))
            tested = usable.all(axis=0) & self.mask[first:end] & (k > 3 and scale > 0)
            ratio = (total / (noise * max(scale, 1e-30) ** 2).clamp(min=1e-30)).cpu().numpy()
            chi2[first:end] = np.where(tested, ratio, np.float32(np.nan))
            self.context.progress(0.8 + 0.19 * (number + 1) / len(self.tiles), "residuals")
        return residual, chi2

    def _model(self, b: Tensor, first: int, end: int) -> Iterator[Tensor]:
        """Signals of the segments for b, with the acceptance at the beam's position."""
        g = self.geometry
        x, y = self._position(first, end)
        for vector, dx, dy in zip(g.vectors.tolist(), g.along_x.tolist(), g.along_y.tolist(), strict=True):
            model = solve.predict(b, vector)
            if self.params.scan_parallax:
                model += x * solve.predict(b, dx) + y * solve.predict(b, dy)
            yield model

    def _position(self, first: int, end: int) -> tuple[Tensor, Tensor]:
        """Beam position in mm: x [1, col] and y [row, 1]."""
        return self._tensor(self.geometry.x)[None, :], self._tensor(self.geometry.y[first:end])[:, None]


def reconstruct_step(inputs: Arrays, params: Reconstruct, context: Context) -> StepResult:
    """Reconstruct the height from segment images; see `core.steps.Reconstruct` for inputs and results.

    Raises
    ------
    EclipsError
        If the images do not fit the detector or the parameters, or no pixel can be solved.
    """
    with one_thread():
        return _reconstruct(inputs, params, context)


def _reconstruct(inputs: Arrays, params: Reconstruct, context: Context) -> StepResult:
    context.progress(0.0, "reading the signals")
    run = LinearReconstruction(inputs, params, context)
    clipped = run.signals.clipped()
    run.slopes()
    run.preview()
    height, how = run.height()
    scale, slope_std = run.noise()
    run.variance = np.empty((0, 0), np.float32)
    length = run.rho()
    normals = run.normals()
    residual, chi2 = run.residuals(normals, length, scale)
    run.correct(normals, length)
    np.divide(length, float(np.median(length[run.mask])), out=length)
    std = height_std(run.signals.shape, slope_std, context.check, how.error_share)
    std *= params.pixel_size_nm
    arrays = {
        "height": height,
        "height_std": std,
        "normals": normals,
        "rho": length,
        "residual": residual,
        "chi2": chi2,
    }
    context.progress(1.0, "done")
    facts = _facts(run, how, clipped, scale, slope_std, chi2)
    facts["residual_rms_grey"] = _rms(residual)
    return StepResult({**arrays, "mask": run.mask}, facts)


def _facts(
    run: LinearReconstruction, how: Integration, clipped: list[int], scale: float, slope_std: float, chi2: Float
) -> dict[str, Any]:
    radius = run.geometry.parallax_radius_mm
    return {
        "method": "linear",
        "emission_model": "lambert" if run.readings is None else "as calibrated",
        "device": str(run.device),
        "pixel_size_nm": run.params.pixel_size_nm,
        "gains": run.signals.gains.tolist(),
        "offsets": run.signals.offsets.tolist(),
        "clipped_px": clipped,
        "masked_px": run.counts["masked"],
        "two_segment_px": run.counts["two_segments"],
        "tilt_limited_px": run.counts["limited"],
        "grey_per_electron": scale**2,
        "slope_std": float(slope_std),
        "height_std_holds": how.std_holds,
        "degrees_of_freedom": run.signals.count - 3,
        "chi2_median": float(np.nanmedian(chi2)) if np.isfinite(chi2).any() else None,
        "scan_parallax_radius_mm": list(radius) if run.params.scan_parallax else None,
        "integrator": run.params.integrator,
        "integration": how.method,
        "integration_iterations": how.iterations,
        "integration_residual": how.residual,
        "warnings": _warnings(run, how),
    }


def _rms(residual: Float) -> float | None:
    """Root mean square of what is no NaN, plane by plane to spare memory."""
    squares, count = 0.0, 0
    for plane in residual:
        known = plane[np.isfinite(plane)]
        squares, count = squares + float(np.sum(np.square(known), dtype=np.float64)), count + known.size
    return (squares / count) ** 0.5 if count else None


def _warnings(run: LinearReconstruction, how: Integration) -> list[str]:
    found = []
    if not how.converged:
        found.append(f"The integration stopped after {how.iterations} iterations before it met its tolerance.")
    if run.counts["limited"]:
        found.append(
            f"{run.counts['limited']} pixels read steeper than {STEEPEST_DEG:g} degrees and were limited to that."
        )
    return found
