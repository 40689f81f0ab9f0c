"""Layers that several networks are built of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv2d


class Convolution(nn.Linear):
    """A convolution whose weights are a matrix, so that Muon takes them as it takes those of any other layer.

    `size` is the edge of the filter; without `padding` rows and columns become fewer.
    """

    def __init__(self, inputs: int, outputs: int, size: int = 3, dilation: int = 1, padding: int = 0) -> None:
        super().__init__(size * size * inputs, outputs)
        self._size, self._dilation, self._padding = size, dilation, padding

    def forward(self, x: Tensor) -> Tensor:
        """Convolve [n, channel, row, col]."""
        weight = self.weight.view(self.out_features, -1, self._size, self._size)
        return conv2d(x, weight, self.bias, padding=self._padding, dilation=self._dilation)
