"""The material factor of each pixel, taken out of the fit: what of the images does not depend on it.

For a pixel with images m (unit brightness), weights W and the factor S that fits best, a change of the images that is
proportional to m changes S alone. Projected out (variable projection with Kaufman's approximation, Golub and Pereyra 2003,
Inverse Problems 19, R1) the fit of the heights is as good as with S as an unknown, at no cost.
"""

from __future__ import annotations

from torch import Tensor


class Brightness:
    """Factor S [row, col] of images m [k, row, col] that fits signals y best with weights W (0: not used)."""

    def __init__(self, images: Tensor, signal: Tensor, weight: Tensor) -> None:
        self.images, self.weight = images, weight
        self._norm = (weight * images * images).sum(0).clamp(min=1e-30)
        self.factor = ((weight * images * signal).sum(0) / self._norm).clamp(min=0.0)
        self.model = self.factor * images

    def changed(self, change: Tensor) -> Tensor:
        """Give the change of the fitted model for a change of the images, the part in S taken out."""
        along = (self.weight * self.images * change).sum(0) / self._norm
        return self.factor * (change - self.images * along)

    def graded(self, residual: Tensor) -> Tensor:
        """Give what the images' adjoint takes for weighted residuals: the adjoint of `changed` under the weights."""
        weighted = self.weight * residual
        along = (self.images * weighted).sum(0) / self._norm
        return self.factor * (weighted - self.weight * self.images * along)
