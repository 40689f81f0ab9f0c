"""The step: linear reconstruction as the start, Gauss-Newton, and what a result needs beside the heights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from torch.nn.functional import avg_pool2d

from eclips_app.core.context import Context
from eclips_app.core.steps import Arrays, ClosedLoop, StepResult
from eclips_app.engine import linear
from eclips_app.engine.device import choose_device, one_thread
from eclips_app.engine.forward.model import ForwardModel, Parallax, forward_model, slopes
from eclips_app.engine.geometry import geometry
from eclips_app.engine.optics.watch import watched
from eclips_app.engine.prepare import Signals
from eclips_app.engine.refine.curvature import Curvature
from eclips_app.engine.refine.draws import draws
from eclips_app.engine.refine.solver import Data, GaussNewton, Rules

Float = NDArray[np.float32]

_LINEAR_SHARE = 0.05  #: of the progress
_SOLVER_SHARE = 0.7
_SMOOTH_PX = 4.0  #: of the standard deviation and of chi-square
_SUBPIXELS = {"standard": 1, "metrology": 2}
#: Solving more closely within a step costs more than it saves: the weights of the next one differ anyway.
_RULES = Rules(outer=8, fall=3e-3, inner=12, tolerance=0.1)
_PREVIEW_PX = 512
_FIRST_SMOOTHING = 10.0
_OF_THE_START = ("chi2_median", "slope_std", "integration", "integration_iterations", "integration_residual")
_ADAPT = 3


@dataclass(frozen=True)
class _Part:
    """A part of a step's progress."""

    context: Context
    start: float
    share: float

    def progress(self, fraction: float, text: str = "") -> None:
        self.context.progress(self.start + self.share * fraction, text)

    def check(self) -> None:
        self.context.check()

    def preview(self, name: str, array: NDArray[Any], **info: float) -> None:
        self.context.preview(name, array, **info)


def reconstruct_step(inputs: Arrays, params: ClosedLoop, context: Context) -> StepResult:
    """Reconstruct the height from segment images; see `core.steps.ClosedLoop` for inputs and results.

    Raises
    ------
    EclipsError
        If the images do not fit the detector or the parameters, no pixel can be solved, or the emission has no table.
    """
    with one_thread(), watched(context.check):
        start = linear.reconstruct_step(inputs, params, _Part(context, 0.0, _LINEAR_SHARE))
        run = _Run(inputs, params, context, start)
        run.solve()
        return run.result()


class _Run:
    """One reconstruction."""

    def __init__(self, inputs: Arrays, params: ClosedLoop, context: Context, start: StepResult) -> None:
        self.params, self.context, self.start = params, context, start
        self.device = choose_device(params.device)
        self.signals = Signals(inputs, params)
        self.signals.gains = np.asarray(start.info["gains"])
        self.subpixels = _SUBPIXELS[params.quality]
        signal, usable = self.signals.rows(0, self.signals.shape[0])
        usable &= start.arrays["mask"]
        self.usable = torch.from_numpy(usable).to(self.device)
        self.model = self._model(inputs["segments"].shape[1:])
        data = Data(
            torch.from_numpy(np.where(usable, signal, 0.0).astype(np.float32)).to(self.device),
            max(float(start.info["grey_per_electron"]), 1e-12), usable=self.usable.float(),
        )  # fmt: skip
        rules = replace(_RULES, adapt=_ADAPT if params.smoothing is None else 0)
        samples = torch.from_numpy(_samples(start.arrays["height"], self.subpixels)).to(self.device)
        self.solver = GaussNewton(self.model, data, Curvature(params.smoothing or _FIRST_SMOOTHING), samples, rules)

    def _model(self, shape: tuple[int, ...]) -> ForwardModel:
        params = self.params
        parallax = None
        if params.scan_parallax:
            place = geometry(params, self.signals.crop, (shape[0], shape[1]))
            parallax = Parallax((float(place.x.mean()), float(place.y.mean())))
        made = forward_model(
            params.detector, params.pixel_size_nm, emission=params.emission, azimuths=params.azimuths,
            subpixels=self.subpixels, parallax=parallax, dtype=torch.float32,
        )  # fmt: skip
        return made.to(self.device, torch.float32)

    def solve(self) -> None:
        """Iterate; the heights after each outer step are shown."""
        shown = -1
        steps = self.solver.rules.outer

        def report(number: int, part: float) -> None:
            nonlocal shown
            if number > shown:
                shown = number
                self._preview()
            text = f"step {number + 1}, chi-square {self._chi2():.2f}"
            self.context.progress(_LINEAR_SHARE + _SOLVER_SHARE * (number + part) / steps, text)

        self.solver.run(report)

    def _chi2(self) -> float:
        used = float(self.usable.sum())
        return 2 * self.solver.misfit / max(used * (1 - 1 / self.signals.count), 1.0)

    def _preview(self) -> None:
        step = max(1, max(self.solver.height_nm.shape) // _PREVIEW_PX)
        small = self.solver.height_nm[::step, ::step].cpu().numpy()
        self.context.preview("height", small, pixel_size_nm=self.model.spacing_nm * step)

    def result(self) -> StepResult:
        """Give arrays and facts as the linear reconstruction does."""
        part = _Part(self.context, _LINEAR_SHARE + _SOLVER_SHARE, 1.0 - _LINEAR_SHARE - _SOLVER_SHARE)
        found = draws(self.solver, self.params.draws, self.params.seed, part.progress)
        mask = self.start.arrays["mask"]
        height = self._pixels(self.solver.height_nm)
        factor = self.solver.fitted.factor.cpu().numpy()
        rho = np.where(mask, factor / np.median(factor[mask]), np.float32(np.nan)).astype(np.float32)
        arrays = {
            "height": height - height[mask].mean(), "height_std": self._std(found.heights), "normals": self._normals(),
            "rho": rho, "residual": self._residual(), "chi2": self._chi2_map(found.fitted_per_pixel), "mask": mask,
        }  # fmt: skip
        return StepResult(arrays, self._facts(found.fitted_per_pixel))

    def _pixels(self, samples: torch.Tensor) -> Float:
        return np.asarray(avg_pool2d(samples[None], self.subpixels)[0].cpu().numpy())

    def _std(self, heights: torch.Tensor) -> Float:
        pixels = avg_pool2d(heights, self.subpixels)
        pixels = pixels - pixels.mean(dim=(1, 2), keepdim=True)
        variance = (pixels**2).mean(0).cpu().numpy()
        return np.asarray(np.sqrt(gaussian_filter(variance, _SMOOTH_PX)), dtype=np.float32)

    def _normals(self) -> Float:
        right, up = slopes(self.solver.height_nm / self.model.spacing_nm)
        length = (1 + right**2 + up**2).sqrt()
        normals = avg_pool2d(torch.stack([-right, -up, torch.ones_like(right)]) / length, self.subpixels)
        return np.asarray((normals / normals.norm(dim=0)).cpu().numpy())

    def _residual(self) -> Float:
        gains = torch.from_numpy(np.asarray(self.signals.gains, dtype=np.float32)).to(self.device)
        residual = self.solver.residual * gains[:, None, None]
        return np.asarray(torch.where(self.usable, residual, torch.nan).cpu().numpy())

    def _chi2_map(self, fitted: float) -> Float:
        """Give chi-square over what noise alone leaves on average, smoothed; NaN where a segment is missing."""
        k = self.signals.count
        tested = self.usable.all(dim=0).cpu().numpy() & (k > 3)
        total = (self.solver.weight * self.solver.residual**2).sum(0).cpu().numpy() / max(k - 1.0 - fitted, 0.1)
        share = gaussian_filter(tested.astype(np.float64), _SMOOTH_PX)
        smooth = gaussian_filter(np.where(tested, total, 0.0).astype(np.float64), _SMOOTH_PX) / np.maximum(share, 1e-9)
        return np.asarray(np.where(tested, smooth, np.nan), dtype=np.float32)

    def _facts(self, fitted: float) -> dict[str, Any]:
        progress, residual = self.solver.progress, self._residual()
        emission = self.params.emission
        kept = {name: value for name, value in self.start.info.items() if name not in _OF_THE_START}
        return {
            **kept,
            "method": "closed-loop",
            "emission_model": emission.model
            if emission.model == "lambert"
            else f"{emission.model} {emission.material}",
            "cost": progress.cost,
            "inner_steps": progress.inner,
            "smoothing": self.solver.prior.weight,
            "chi2": self._chi2(),
            "fitted_heights_per_pixel": fitted,
            "residual_rms_grey": float(np.sqrt(np.nanmean(residual.astype(np.float64) ** 2))),
            "height_std_holds": "noise of the images and what the prior leaves open; no error of detector, gains or emission",
        }


def _samples(height: Float, subpixels: int) -> Float:
    """Give heights at the samples within the pixels, by cubic interpolation."""
    if subpixels == 1:
        return np.ascontiguousarray(height)
    place = np.meshgrid(*((np.arange(n * subpixels) + 0.5) / subpixels - 0.5 for n in height.shape), indexing="ij")
    return np.asarray(map_coordinates(height, place, order=3, mode="nearest"), dtype=np.float32)
