"""What is solved at once: the signals of an image or of a window of it, with their noise, and the model that they obey."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.nn.functional import avg_pool2d

from eclips_app.core.steps import ClosedLoop, automatic
from eclips_app.engine.forward.model import ForwardModel, Parallax, forward_model
from eclips_app.engine.refine.brightness import Brightness, Material
from eclips_app.engine.refine.solver import Data


@dataclass(frozen=True)
class Field:
    """A window of the images.

    Attributes
    ----------
    data : Data
        Signals [k, row, col], noise, and which of them are used.
    material : Material
        Of its pixels.
    pixel_size_nm : float
    parallax : Parallax, optional
        Where its middle lies.
    params : ClosedLoop
    """

    data: Data
    material: Material
    pixel_size_nm: float
    parallax: Parallax | None
    params: ClosedLoop

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.data.signal.shape[1:]
        return rows, columns

    def model(self, subpixels: int) -> ForwardModel:
        """Prepare the forward model with so many samples along the edge of a pixel."""
        params = self.params
        made = forward_model(
            params.detector, self.pixel_size_nm, emission=params.emission, azimuths=automatic(params).azimuths,
            subpixels=subpixels, parallax=self.parallax, dtype=torch.float32,
        )  # fmt: skip
        return made.to(self.data.signal.device, torch.float32)

    def explained(self, images: torch.Tensor, chosen: torch.Tensor | None = None) -> Brightness:
        """Fit the brightness of rendered images [k, row, col] on chosen pixels [row, col], with the noise of what is found."""
        part = 1.0 if chosen is None else chosen
        signal = self.data.signal
        first = Brightness(images, signal, self.data.weight(signal) * part, self.material)
        return Brightness(images, signal, self.data.weight(first.model) * part, self.material)

    def binned(self) -> Field:
        """Give the same field with pixels of twice the size; an odd last row or column is left out."""
        data = self.data
        used = torch.ones_like(data.signal) if data.usable is None else data.usable
        count = avg_pool2d(used, 2)
        signal = avg_pool2d(data.signal * used, 2) / count.clamp(min=0.25)
        labels, factor = self.material.labels, self.material.factor
        rows, columns = count.shape[1:]
        material = Material(
            None if labels is None else labels[::2, ::2][:rows, :columns].contiguous(),
            None if factor is None else avg_pool2d(factor[None], 2)[0],
        )
        coarse = Data(signal, data.scale / 4, data.floor / 4, (count >= 0.5).to(signal.dtype))
        return replace(self, data=coarse, material=material, pixel_size_nm=2 * self.pixel_size_nm)
