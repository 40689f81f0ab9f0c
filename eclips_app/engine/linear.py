"""Linear reconstruction: slopes from the acceptance vectors, height by least squares, with its noise and residuals.

Without shadow the signal of segment k is ``y_k = b . A_k`` with ``b = S n`` (S: yield and material factor). The least
squares estimate of b in each pixel gives the slopes ``p = -bx/bz`` and ``q = -by/bz`` (x right, y up) whatever S is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, Reconstruct, StepResult
from eclips_app.engine import acceptance, solve
from eclips_app.engine.device import choose_device
from eclips_app.engine.integrate import Integration, integrate
from eclips_app.engine.noise import noise_scale
from eclips_app.engine.prepare import Signals, level_gains
from eclips_app.engine.uncertainty import height_std

Float = NDArray[np.float32]

_TILE_PIXELS = 1 << 16  #: small enough that the planes of a tile stay in the cache
_PREVIEW = 256
_NM_PER_MM = 1e6
#: Slopes are limited to this tilt; nothing steeper can be read from a signal above the specimen.
STEEPEST_DEG = 87.0


@dataclass(frozen=True)
class Geometry:
    """Acceptance vectors and how they change with the beam's position; lengths in mm."""

    vectors: NDArray[np.float64]  #: [k, 3], scaled to a mean z component of 1
    along_x: NDArray[np.float64]  #: [k, 3] per mm
    along_y: NDArray[np.float64]
    mixing_x: NDArray[np.float64]  #: [3, 3] per mm, pseudo-inverse times gradient
    mixing_y: NDArray[np.float64]
    x: NDArray[np.float64]  #: beam position of each column in mm
    y: NDArray[np.float64]  #: beam position of each row in mm, up


def geometry(params: Reconstruct, signals: Signals, shape: tuple[int, int]) -> Geometry:
    """Give the geometry of a reconstruction; `shape` is that of the uncropped images."""
    vectors = acceptance.vectors(params.detector)
    if not solve.determines(vectors):
        raise EclipsError(
            "the segments of the detector do not tell the two slopes apart",
            where="quadrants",
            hint="Check the azimuths; three segments must point into different directions.",
        )
    along = acceptance.vector_gradients(params.detector) if params.scan_parallax else (np.zeros_like(vectors),) * 2
    scale = vectors[:, 2].mean()
    inverse = np.linalg.pinv(vectors)
    row, column = params.axis_px or ((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    pixel_mm = params.pixel_size_nm / _NM_PER_MM
    rows, columns = signals.shape
    return Geometry(
        vectors / scale,
        along[0] / scale,
        along[1] / scale,
        inverse @ along[0],
        inverse @ along[1],
        (np.arange(columns) + signals.crop.first_column - column) * pixel_mm,
        (row - np.arange(rows) - signals.crop.first_row) * pixel_mm,
    )


class LinearReconstruction:
    """One run; the arrays fill up step by step. All planes are float32 [row, col] of the crop's size."""

    def __init__(self, arrays: Arrays, params: Reconstruct, context: Context) -> None:
        self.params, self.context = params, context
        self.device = choose_device(params.device)
        self.signals = Signals(arrays, params)
        rows, columns = self.signals.shape
        shape = arrays["segments"].shape
        self.geometry = geometry(params, self.signals, (shape[1], shape[2]))
        if params.balance == "level":
            self.signals.gains = self.signals.gains * level_gains(self.signals, self.geometry.vectors[:, 2])
        self.b = np.empty((3, rows, columns), np.float32)  #: S n
        self.variance = np.empty((rows, columns), np.float32)  #: var(p) + var(q) for signal noise of scale 1
        self.mask = np.empty((rows, columns), bool)
        self.counts = {"two_segments": 0, "masked": 0, "limited": 0}
        step = max(1, _TILE_PIXELS // columns)
        self.tiles = [(a, min(rows, a + step)) for a in range(0, rows, step)]

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
        """Fill pixels that have two usable segments, with the material factor of the nearest solved pixels."""
        if not self.mask.any():
            return
        length = np.sqrt((self.b**2).sum(axis=0)) * self.mask
        known = scipy.ndimage.gaussian_filter(self.mask.astype(np.float32), 3.0)
        smooth = scipy.ndimage.gaussian_filter(length, 3.0) / np.maximum(known, 1e-6)
        nearest = scipy.ndimage.distance_transform_edt(~self.mask, return_distances=False, return_indices=True)
        for first, end in self.tiles:
            here = lone[first:end]
            if not here.any():
                continue
            at = nearest[0, first:end][here], nearest[1, first:end][here]
            signals, usable = self.signals.rows(first, end)
            b = solve.from_two(
                signals[:, here], usable[:, here], self.geometry.vectors, smooth[at], self.b[:, at[0], at[1]]
            )
            self.b[:, first:end][:, here] = b
            self.variance[first:end][here] = self.variance[at]
            self.mask[first:end][here] = True
            self.context.check()
        self.counts["two_segments"] = int(np.count_nonzero(lone))

    def _finish_slopes(self, first: int, end: int) -> None:
        """Correct the scan parallax, limit the tilt, drop dark pixels; b becomes (p, q, S) in place."""
        g = self.geometry
        b = self._tensor(self.b[:, first:end])
        if self.params.scan_parallax:
            x = torch.from_numpy(g.x.astype(np.float32)).to(self.device)[None, :]
            y = torch.from_numpy(g.y[first:end].astype(np.float32)).to(self.device)[:, None]
            off = [
                x * solve.predict(b, mx) + y * solve.predict(b, my)
                for mx, my in zip(g.mixing_x.tolist(), g.mixing_y.tolist(), strict=True)
            ]
            b = b - torch.stack(off)
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
        height, _ = integrate(p, q, mask)
        height *= self.params.pixel_size_nm * step
        self.context.preview("height", height.numpy(), pixel_size_nm=self.params.pixel_size_nm * step)

    def height(self) -> tuple[Float, Integration]:
        """Integrate the slopes to a height in nm."""
        p, q = self._tensor(self.b[0]), self._tensor(self.b[1])
        mask = None if self.mask.all() else self._tensor(self.mask)
        height, how = integrate(
            p, q, mask, lambda part: self.context.progress(0.5 + 0.25 * part, "integrating the slopes")
        )
        height *= self.params.pixel_size_nm
        return height.cpu().numpy(), how

    def noise(self) -> tuple[float, float]:
        """Give the noise scale s (var(signal) = s^2 signal) and the standard deviation of each slope."""
        p, q, variance, mask = (self._tensor(a) for a in (self.b[0], self.b[1], self.variance, self.mask))
        scale = noise_scale(p, q, variance, mask)
        rows = np.where(self.mask, self.variance, 0.0).sum(axis=1, dtype=np.float64)
        mean = float(rows.sum() / np.count_nonzero(self.mask))
        return scale, scale * (mean / 2) ** 0.5

    def normals(self) -> Float:
        """Turn (p, q) in place into unit normals; |b| is taken out first with `rho`."""
        for first, end in self.tiles:
            p, q = self._tensor(self.b[0, first:end]), self._tensor(self.b[1, first:end])
            z = (1 + p * p + q * q).rsqrt()
            for plane, value in zip(self.b, (-p * z, -q * z, z), strict=True):
                plane[first:end] = value.cpu().numpy()
        return self.b

    def rho(self) -> Float:
        """Give |b| as measured; NaN where masked."""
        length = self.b[2].copy()
        length[~self.mask] = np.nan
        return length

    def residuals(self, normals: Float, length: Float, scale: float) -> tuple[Float, Float, int]:
        """Give measured minus model [k, row, col] in grey values, chi-square per degree of freedom, and the degrees of freedom.

        The variance of a signal is ``scale^2`` times the modelled signal.
        """
        g, k = self.geometry, self.signals.count
        residual = np.empty((k, *self.signals.shape), np.float32)
        chi2 = np.full(self.signals.shape, np.nan, np.float32)
        gains = self.signals.gains
        for number, (first, end) in enumerate(self.tiles):
            signals, usable = (self._tensor(a) for a in self.signals.rows(first, end))
            b = self._tensor(normals[:, first:end]) * self._tensor(length[first:end])
            x = torch.from_numpy(g.x.astype(np.float32)).to(self.device)[None, :]
            y = torch.from_numpy(g.y[first:end].astype(np.float32)).to(self.device)[:, None]
            total = torch.zeros_like(b[0])
            floor = solve.NOISE_FLOOR * b[2].abs().clamp(min=1e-30)
            for i in range(k):
                bend = x * solve.predict(b, g.along_x[i].tolist()) + y * solve.predict(b, g.along_y[i].tolist())
                model = solve.predict(b, g.vectors[i].tolist()) + bend
                off = torch.where(usable[i], signals[i] - model, torch.full_like(model, torch.nan))
                residual[i, first:end] = (off * float(gains[i])).cpu().numpy()
                total += torch.where(usable[i], off * off / torch.maximum(model, floor), torch.zeros_like(model))
            freedom = usable.sum(dim=0) - 3
            if k > 3 and scale > 0:
                tested = torch.where(freedom > 0, total / (freedom * scale**2), torch.full_like(total, torch.nan))
                chi2[first:end] = tested.cpu().numpy()
            self.context.progress(0.8 + 0.19 * (number + 1) / len(self.tiles), "residuals")
        return residual, chi2, k - 3


def reconstruct_step(inputs: Arrays, params: Reconstruct, context: Context) -> StepResult:
    """Reconstruct the height from segment images; see `core.steps.Reconstruct` for inputs and results.

    Raises
    ------
    EclipsError
        If the images do not fit the detector or the parameters, or no pixel can be solved.
    """
    context.progress(0.0, "reading the signals")
    run = LinearReconstruction(inputs, params, context)
    clipped = run.signals.clipped()
    run.slopes()
    run.preview()
    height, how = run.height()
    scale, slope_std = run.noise()
    run.variance = np.empty(0, np.float32)
    length = run.rho()
    normals = run.normals()
    residual, chi2, freedom = run.residuals(normals, length, scale)
    median = float(np.median(length[run.mask]))
    length /= median
    std = height_std(run.signals.shape, slope_std)
    std *= params.pixel_size_nm
    arrays = {
        "height": height, "height_std": std, "normals": normals, "rho": length, "residual": residual, "chi2": chi2, "mask": run.mask
    }  # fmt: skip
    context.progress(1.0, "done")
    return StepResult(arrays, _facts(run, how, clipped, scale, slope_std, freedom, chi2))


def _facts(
    run: LinearReconstruction,
    how: Integration,
    clipped: list[int],
    scale: float,
    slope_std: float,
    freedom: int,
    chi2: Float,
) -> dict[str, Any]:
    radius = acceptance.parallax_radius_mm(run.params.detector)
    return {
        "method": "linear",
        "emission_model": "lambert",
        "device": str(run.device),
        "pixel_size_nm": run.params.pixel_size_nm,
        "gains": run.signals.gains.tolist(),
        "offsets": run.signals.offsets.tolist(),
        "clipped_px": clipped,
        "masked_px": run.counts["masked"],
        "two_segment_px": run.counts["two_segments"],
        "tilt_limited_px": run.counts["limited"],
        "grey_per_electron": scale**2,
        "slope_std": slope_std,
        "height_std_holds": "noise of the signals alone, taken as white and even over the field; no error of model or geometry",
        "degrees_of_freedom": freedom,
        "chi2_median": float(np.nanmedian(chi2)) if np.isfinite(chi2).any() else None,
        "scan_parallax_radius_mm": list(radius) if run.params.scan_parallax else None,
        "integration": how.method,
        "integration_iterations": how.iterations,
        "integration_residual": how.residual,
        "warnings": _warnings(run, how),
    }


def _warnings(run: LinearReconstruction, how: Integration) -> list[str]:
    found = []
    if not how.converged:
        found.append(f"The integration stopped after {how.iterations} iterations before it met its tolerance.")
    if run.counts["limited"]:
        found.append(
            f"{run.counts['limited']} pixels read steeper than {STEEPEST_DEG:g} degrees and were limited to that."
        )
    return found
