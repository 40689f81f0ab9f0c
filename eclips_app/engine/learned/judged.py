"""What heights explain of the images by the exact forward model: residuals and chi-square, as the closed loop has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from types import EllipsisType

import numpy as np
import torch
from torch import Tensor

from eclips_app.engine.forward import cells
from eclips_app.engine.learned.predict import normals
from eclips_app.engine.optics.watch import check
from eclips_app.engine.refine.brightness import freedom_of
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.judgement import known_left
from eclips_app.engine.refine.levels import finer
from eclips_app.engine.refine.measured import Measured
from eclips_app.engine.refine.window import Window

Inner = tuple[EllipsisType, slice, slice]

_STEP_PX = 1024  #: edge of the windows that larger images are judged in: at once they would fill the memory
_HALO_PX = 64  #: of a window; what stands farther away is not seen to hide anything


def judged(measured: Measured, height_nm: Tensor, slopes: Tensor) -> tuple[Window, float]:
    """Render heights [row, col]; gives what is left of the images, and chi-square per degree of freedom.

    Each pixel has the brightness that fits best, and slopes are those of cells between heights at corners, as in the closed loop;
    `slopes` [2, row, col] are for the normals alone.
    """
    found = _empty(measured)
    used = 0.0
    for inner, wide in _windows(measured.shape):
        check()
        rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, wide, strict=True))
        part, count = _explained(
            measured.field(wide[0].start, wide[0].stop, wide[1].start, wide[1].stop), height_nm[wide], slopes[:, *wide],
            measured.params.subpixels, (..., rows, columns),
        )  # fmt: skip
        for each in fields(Window):
            getattr(found, each.name)[(..., *inner)] = getattr(part, each.name)
        used += count
    return found, float(found.left.sum(dtype=np.float64)) / used


def _explained(field: Field, height_nm: Tensor, slopes: Tensor, subpixels: int, inner: Inner) -> tuple[Window, float]:
    """Judge a window; gives its inner part, and its degrees of freedom."""
    model = field.model(subpixels)
    corners = finer(cells.corners_of(height_nm), subpixels)
    with torch.no_grad():
        tangents = cells.slopes(corners / model.spacing_nm)
        images = model.images(cells.heights(corners), normal_slopes=tangents)
    signal, fitted = field.data.signal, field.explained(images)
    weight = fitted.weight
    residual = signal - fitted.model
    parts = fitted.factor, residual, (weight * residual**2).sum(0), known_left(images, weight, signal)
    height, *rest = (np.asarray(part[inner].cpu().numpy(), np.float32) for part in (height_nm, *parts))
    return Window(height, normals(slopes[inner]), *rest), freedom_of(weight[inner], field.material)


def _empty(measured: Measured) -> Window:
    shape, count = measured.shape, measured.signals.count
    sizes = (), (3,), (), (count,), (), ()
    return Window(*(np.empty((*size, *shape), np.float32) for size in sizes))


def _windows(shape: tuple[int, int]) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Give windows of an image and, wider by the halo, what is rendered for each."""
    for top in range(0, shape[0], _STEP_PX):
        for left in range(0, shape[1], _STEP_PX):
            bottom, right = min(top + _STEP_PX, shape[0]), min(left + _STEP_PX, shape[1])
            wide = (
                slice(max(top - _HALO_PX, 0), min(bottom + _HALO_PX, shape[0])),
                slice(max(left - _HALO_PX, 0), min(right + _HALO_PX, shape[1])),
            )
            yield (slice(top, bottom), slice(left, right)), wide
