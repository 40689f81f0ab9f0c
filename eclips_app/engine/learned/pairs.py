"""Images of the user's own with the height map registered to them, to train the U-Net on beside random scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.reconstruction import ClosedLoop, Reconstruct
from eclips_app.engine import linear
from eclips_app.engine.learned.features import turned, turned_slopes
from eclips_app.engine.learned.predict import shown
from eclips_app.engine.refine.measured import Measured

_JUDGED_SHARE = 0.25  #: of the rows, at the lower end: they are judged by, the others trained on
_LEAST_KNOWN = 0.1  #: part of the image whose heights are known


@dataclass(frozen=True)
class Pair:
    """An image and its heights.

    Attributes
    ----------
    planes : tensor [channel, row, col]
        See `features.planes`.
    slopes : array [2, row, col]
        Of the map (right, up), 0 where they are not known.
    known : array [row, col]
        1 where they are.
    """

    planes: Tensor
    slopes: NDArray[np.float32]
    known: NDArray[np.float32]

    def window(
        self, size: int, rng: np.random.Generator, quarters: int, *, judged: bool
    ) -> dict[str, NDArray[np.float32]]:
        """Give a window [size, size] to train on or to judge by, turned by quarters to the left: a sample of the U-Net's task.

        Of the material factor nothing is known; the linear solution's is given.
        """
        rows, columns = self.known.shape
        border = round((1.0 - _JUDGED_SHARE) * rows)
        first, end = (max(min(border, rows - size), 0), rows) if judged else (0, max(border, size))
        top, left = (int(rng.integers(a, b - size + 1)) for a, b in ((first, end), (0, columns)))
        part = (..., slice(top, top + size), slice(left, left + size))
        given = turned(self.planes[part], quarters).numpy().astype(np.float32)
        known = np.ascontiguousarray(np.rot90(self.known[part], quarters))
        return {
            "planes": given,
            "slopes": turned_slopes(self.slopes[part], quarters),
            "log_rho": given[2],
            "known": known,
        }


def pairs_of(inputs: Mapping[str, NDArray[Any]], each: Sequence[Reconstruct], size: int) -> list[Pair]:
    """Prepare the pairs among the inputs of a training; windows have `size` pixels.

    ``pair/0/segments`` [k, row, col], what else `Reconstruct` takes, and ``pair/0/height`` [row, col] in nm on the pixels of the
    crop, NaN where the map does not reach; and so on.

    Raises
    ------
    EclipsError
        Heights of another size, or hardly any; images smaller than a window; what the linear reconstruction finds wrong.
    """
    found = []
    for number, params in enumerate(each):
        start = f"pair/{number}/"
        own = {name.removeprefix(start): array for name, array in inputs.items() if name.startswith(start)}
        found.append(_pair(own, params, size, f"pair {number + 1}"))
    return found


def _pair(own: Mapping[str, NDArray[Any]], params: Reconstruct, size: int, name: str) -> Pair:
    fit = ClosedLoop(**{field.name: getattr(params, field.name) for field in fields(Reconstruct)})
    measured = Measured(own, fit, linear.reconstruct_step(own, fit, SilentContext()))
    height = own["height"]
    if height.shape != measured.shape:
        raise EclipsError(f"the heights have {height.shape} pixels, the images {measured.shape}", where=name)
    if min(height.shape) < size:
        raise EclipsError(
            f"an image of {height.shape} pixels has no window of {size} to train on",
            where=name,
            hint="Give a smaller --size.",
        )
    down, right = np.gradient(np.asarray(height, np.float64) / params.pixel_size_nm)
    slopes = np.stack([right, -down])
    known = np.isfinite(slopes).all(0) & measured.mask
    if known.mean() < _LEAST_KNOWN:
        raise EclipsError("the height map covers hardly any of the image", where=name, hint="Register it first.")
    given = shown(measured, measured.whole())
    return Pair(given.planes().cpu(), np.where(known, slopes, 0.0).astype(np.float32), known.astype(np.float32))
