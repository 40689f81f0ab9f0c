"""How often the stated covariance of a registration holds the truth: reference surfaces, warped, with noise on both maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.cli.bench_registration import scanned
from eclips_app.cli.tables import Table
from eclips_app.core.context import SilentContext
from eclips_app.metrology.registration.covariance import placement_parameters
from eclips_app.metrology.registration.pose import Frames, Pose, free_drift
from eclips_app.metrology.registration.register import Task, register_map

Floats = NDArray[np.float64]

CASES = ("steps46", "spiral45")
_PIXEL_NM, _MAP_NM, _NOISE_NM, _KNOTS = 2.0, 3.0, 1.0, 8
_PLACED = 6  #: numbers that place the map, beside its drift
_BLURS_PX = (0.0, 2.0)  #: standard deviation of the Gaussian that the noise was blurred by


def table(shared: Path, draws: int, seed: int) -> Table:
    """Give chi-square of the found stretch, turn and place against their covariance, for white and for blurred noise."""
    rows = []
    for case in CASES:
        path = shared / "cases" / case / "truth.npz"
        if not path.is_file():
            continue
        height = np.load(path)["height"].astype(np.float64)
        for model, blur in (("affine", _BLURS_PX[0]), ("affine", _BLURS_PX[1]), ("drift", _BLURS_PX[1])):
            found = np.array([_draw(height, model, blur, np.random.default_rng([seed, k])) for k in range(draws)])
            rows.append((
                case, model, blur, draws, float(found[:, 0].mean()), float(np.median(found[:, 1])),
                float(np.median(found[:, 2])), float((found[:, 0] < 2.1).mean()),
            ))  # fmt: skip
    columns = (
        "surface", "model", "noise blurred px", "draws", "chi2 per number", "error nm", "stated nm", "inside 95 %"
    )  # fmt: skip
    return Table(
        "Covariance of the place, stretch and turn against the truth", columns, tuple(rows),
        ("chi2 per number should be 1, and below 2.1 (six numbers) in 95 % of the draws; error and stated: median rms",),
    )  # fmt: skip


def _draw(height: Floats, model: str, blur_px: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """Warp a surface, register it, and give chi-square per number, rms error and stated standard deviation in nm."""
    frames = Frames((120, 120), (_MAP_NM, _MAP_NM), (height.shape[0], height.shape[1]), _PIXEL_NM)
    pose = Pose.similar(float(rng.uniform(-60, 60)), float(rng.uniform(-60, 60)), float(rng.uniform(-10, 10)))
    stretch = np.array([[rng.uniform(0.95, 1.05), rng.uniform(-0.03, 0.03)], [0.0, rng.uniform(0.95, 1.05)]])
    drift = free_drift(_KNOTS) @ rng.normal(0, 2, (_KNOTS - 2, 2)) if model == "drift" else np.zeros((0, 2))
    truth = Pose(pose.shift_nm, pose.matrix @ stretch, drift)
    placed = scanned(height, _PIXEL_NM, (0, 0), truth, frames)
    image = height + _noise(height.shape, blur_px, rng)
    placed += _noise(placed.shape, blur_px, rng)
    start = Pose(truth.shift_nm + 2.0, truth.matrix)
    found = register_map(image, placed, frames, Task(model, start=start), SilentContext())  # type: ignore[arg-type]
    if found.spread is None:
        raise AssertionError("a refined pose has a covariance")
    away = (found.spread.values - placement_parameters(truth, frames)[1])[:_PLACED]
    covariance = found.spread.covariance[:_PLACED, :_PLACED]
    chi2 = float(away @ np.linalg.solve(covariance, away)) / _PLACED
    row, column = (each.astype(np.float64) for each in np.nonzero(np.isfinite(placed)))
    x, y = (column - 59.5) * _MAP_NM, (59.5 - row) * _MAP_NM
    error = np.stack(found.pose.moved(x, y, frames)) - np.stack(truth.moved(x, y, frames))
    return chi2, float(np.sqrt((error**2).sum(axis=0).mean())), found.spread.position_std_nm


def _noise(shape: tuple[int, ...], blur_px: float, rng: np.random.Generator) -> Floats:
    noise = rng.normal(size=shape)
    if blur_px:
        noise = ndimage.gaussian_filter(noise, blur_px)
    scaled: Floats = noise * (_NOISE_NM / noise.std())
    return scaled
