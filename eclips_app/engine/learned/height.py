"""What the loop makes of heights and slopes beside integrating them."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from eclips_app.engine.integrators.least_squares import increments


def curl(height: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
    """Give by how much rises of a height in pixels miss those that slopes [2, row, col] ask for, to the next column and row.

    Slopes that are those of a surface have no curl, and miss nothing.
    """
    right, down = increments(slopes[0]), -increments(slopes[1].T).T
    return height[:, 1:] - height[:, :-1] - right, height[1:] - height[:-1] - down


def finer(fields: Tensor, times: int) -> Tensor:
    """Interpolate fields [n, row, col] on so many samples along the edge of a pixel, by cubic convolution."""
    if times == 1:
        return fields
    found: Tensor = interpolate(fields[None], scale_factor=times, mode="bicubic", align_corners=False)[0]
    return found
