"""The forward model about one height map: its images, and their changes with the heights in both directions.

Who blocks which pixel is found once; changes and gradients then cost a fraction of an image.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.autograd import forward_ad

from eclips_app.engine.forward import cells
from eclips_app.engine.forward.model import ForwardModel, slopes
from eclips_app.engine.forward.quadrature import loops_for
from eclips_app.engine.forward.scene import Plan, Scene


class Linearised:
    """Images [k, row, col] of a model about heights in nm at the corners of its samples, in units of a flat."""

    def __init__(self, model: ForwardModel, corners_nm: torch.Tensor) -> None:
        self.model = model
        tables = model.sectors
        middle = cells.heights(corners_nm)
        height = model.local(middle)
        tangents = cells.slopes(corners_nm / model.spacing_nm) + slopes(height - middle / model.spacing_nm)
        self.scene = Scene(height, tangents, model.expansion.weights(tangents))
        self._plan = Plan(tables.taken, *tables.plan)
        self._loops = loops_for(height.device)
        # How the functions of the normal change with the two slopes, [2, j, row, col].
        self._bends = model.expansion.bends(tangents)
        self._winner = torch.empty((tables.directions.shape[1], *height.shape), dtype=torch.int16, device=height.device)
        self.images = self._pixels(self._rendered(self.scene, self._winner))

    def samples(self, scene: Scene[torch.Tensor]) -> torch.Tensor:
        """Give the signal [k, row, col] of a scene on samples, without the response of the pixels."""
        return self.model.placed(self._rendered(scene, torch.empty_like(self._winner)))

    def _rendered(self, scene: Scene[torch.Tensor], winner: torch.Tensor) -> torch.Tensor:
        out = self._total(scene.weights)
        self._loops.signal(scene, self._plan, winner, out)
        return out

    def tangent(self, change_nm: torch.Tensor) -> torch.Tensor:
        """Give the first-order change of the images [k, row, col] for a change of the heights."""
        change = change_nm / self.model.spacing_nm
        leaning = cells.slopes(change)
        bent = self._bends[0] * leaning[0]
        moved = Scene(cells.heights(change), leaning, bent.addcmul_(self._bends[1], leaning[1]))
        out = self._total(moved.weights)
        self._loops.tangent(self.scene, self._plan, self._winner, moved, out.new_empty((0, 0, 0, 0)), out)
        return self._pixels(out)

    def adjoint(self, graded: torch.Tensor) -> torch.Tensor:
        """Give the derivatives of ``Sum graded * images`` by the heights, per nm."""
        gradient = self._from_pixels(graded)
        to_height, to_slopes = (x.new_zeros(x.shape) for x in self.scene[:2])
        to_weights = torch.einsum("kj,krc->jrc", self.model.sectors.total, gradient).contiguous()
        self._loops.adjoint(self.scene, self._plan, self._winner, gradient, to_height, to_slopes, to_weights)
        for to_slope, bend in zip(to_slopes, self._bends, strict=True):
            for to_weight, along in zip(to_weights, bend, strict=True):
                to_slope.addcmul_(to_weight, along)
        return (cells.heights_adjoint(to_height) + cells.slopes_adjoint(to_slopes)) / self.model.spacing_nm

    def by_slopes(self) -> torch.Tensor:
        """Give the change of the images [2, k, row, col] with the slopes (right, up) alone, with nothing in the way."""
        pixels = [self._pixels(self._total(bend)) for bend in self._bends]
        return torch.stack(pixels)

    def _total(self, weights: torch.Tensor) -> torch.Tensor:
        return torch.einsum("kj,jrc->krc", self.model.sectors.total, weights).contiguous()

    def _pixels(self, samples: torch.Tensor) -> torch.Tensor:
        return self.model.response(self.model.placed(samples)) / self.model.flat

    def _from_pixels(self, graded: torch.Tensor) -> torch.Tensor:
        """Go back from pixels to samples: the adjoint of `_pixels`."""
        return self.model.placed_adjoint(self.model.response.adjoint(graded / self.model.flat))


def tangent_of(
    function: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor, direction: torch.Tensor
) -> torch.Tensor:
    """Give the derivative of a function along a direction, in forward mode."""
    with forward_ad.dual_level():
        made = function(forward_ad.make_dual(at, direction))  # type: ignore[no-untyped-call]
        found: torch.Tensor = forward_ad.unpack_dual(made).tangent  # type: ignore[no-untyped-call]
        return found
