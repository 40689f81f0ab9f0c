"""A solution in the pixels of the images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from eclips_app.engine.forward import cells
from eclips_app.engine.refine.judgement import known_left
from eclips_app.engine.refine.solver import GaussNewton

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """What a solver found for a window of the images, arrays on pixels.

    Attributes
    ----------
    height : array [row, col]
        In nm.
    normals : array [3, row, col]
    factor : array [row, col]
        Brightness.
    residual : array [k, row, col]
        Signals, with the gains and offsets found, minus model.
    left, left_known : array [row, col]
        Squared residual over the variance, summed over the segments; with one brightness for the window.
    """

    height: Float
    normals: Float
    factor: Float
    residual: Float
    left: Float
    left_known: Float


def window_of(solver: GaussNewton) -> Window:
    """Average what a solver found over its pixels."""
    times = solver.model.response.subpixels
    right, up = cells.slopes(solver.at.height_nm / solver.model.spacing_nm)
    length = (1 + right**2 + up**2).sqrt()
    normals = avg_pool2d(torch.stack([-right, -up, torch.ones_like(right)]) / length, times)
    return Window(
        _array(avg_pool2d(cells.means(solver.at.height_nm)[None], times)[0]),
        _array(normals / normals.norm(dim=0)),
        _array(solver.at.fitted.factor),
        _array(solver.residual),
        _array(solver.left),
        _array(known_left(solver.at.fitted.images, solver.weight, solver.signal)),
    )


def _array(values: Tensor) -> Float:
    return np.asarray(values.cpu().numpy(), np.float32)
