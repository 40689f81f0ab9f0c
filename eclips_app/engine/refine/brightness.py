"""The material factor, taken out of the fit of the heights: what of the images does not depend on it.

With images m (unit brightness) and weights W, the factor S that fits best follows from the images. A change of the images that
is proportional to m changes S alone. Projected out (variable projection with Kaufman's approximation, Golub and Pereyra 2003,
Inverse Problems 19, R1) the fit of the heights is as good as with S as an unknown, at no cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Material:
    """Which pixels share a brightness.

    Attributes
    ----------
    labels : tensor [row, col] of int64, optional
        Pixels with the same label share one; None: each pixel has its own.
    factor : tensor [row, col], optional
        Known relative brightness, by which what is shared is multiplied.
    """

    labels: Tensor | None = None
    factor: Tensor | None = None

    def shared(self, field: Tensor) -> Tensor:
        """Give the sums [row, col] of a field over the pixels that share a brightness, at each of them."""
        if self.labels is None:
            return field
        sums = torch.zeros(int(self.labels.max()) + 1, dtype=torch.float64, device=field.device)
        sums.index_add_(0, self.labels.ravel(), field.ravel().double())
        return sums.to(field.dtype)[self.labels]

    def scaled(self, images: Tensor) -> Tensor:
        """Give images [k, row, col] of the known factor."""
        return images if self.factor is None else images * self.factor


class Brightness:
    """Factor S [row, col] of images m [k, row, col] that fits signals y best with weights W (0: not used)."""

    def __init__(self, images: Tensor, signal: Tensor, weight: Tensor, material: Material | None = None) -> None:
        self.material = material or Material()
        self.images, self.weight = self.material.scaled(images), weight
        self._norm = self.material.shared((weight * self.images * self.images).sum(0)).clamp(min=1e-30)
        self.factor = (self.material.shared((weight * self.images * signal).sum(0)) / self._norm).clamp(min=0.0)
        self.model = self.factor * self.images

    @property
    def freedom(self) -> float:
        """Degrees of freedom of chi-square; see `freedom_of`."""
        return freedom_of(self.weight, self.material)

    def changed(self, change: Tensor) -> Tensor:
        """Give the change of the fitted model for a change of the images, the part in S taken out."""
        return self.projected(self.factor * self.material.scaled(change))

    def projected(self, model: Tensor) -> Tensor:
        """Give a change of the model without the part that another S would make."""
        along = self.material.shared((self.weight * self.images * model).sum(0)) / self._norm
        return model - self.images * along

    def graded(self, residual: Tensor) -> Tensor:
        """Give what the images' adjoint takes for weighted residuals: the adjoint of `changed` under the weights."""
        weighted = self.weight * residual
        along = self.material.shared((self.images * weighted).sum(0)) / self._norm
        return self.factor * self.material.scaled(weighted - self.weight * self.images * along)


def freedom_of(weight: Tensor, material: Material) -> float:
    """Give how many signals count (weight [k, row, col] not 0) less the brightnesses of pixels fitted to them, one at least.

    Those that many pixels share are few.
    """
    own = 0.0 if material.labels is not None else float(weight.any(dim=0).sum())
    return max(float(weight.count_nonzero()) - own, 1.0)
