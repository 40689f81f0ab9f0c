"""What a fit is given: the prepared signals of the whole crop, their noise, materials, channels, and where to start."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chi2

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, ClosedLoop, StepResult
from eclips_app.core.tolerance import SCAN, gain_names, offset_names, stated
from eclips_app.engine.device import choose_device
from eclips_app.engine.forward.model import Parallax
from eclips_app.engine.geometry import geometry
from eclips_app.engine.prepare import Signals
from eclips_app.engine.refine.brightness import Material
from eclips_app.engine.refine.channels import Channels
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.solver import Data

_QUANTISATION = 1.0 / 12.0  #: variance of rounding to whole grey values
_MOST_LABELS = 1000
_BAND = 64

Bools = NDArray[np.bool_]


class Measured:
    """The inputs of a closed-loop reconstruction after its linear start."""

    def __init__(self, inputs: Arrays, params: ClosedLoop, start: StepResult) -> None:
        self.inputs, self.params, self.start = inputs, params, start
        self.device = choose_device(params.device)
        self.signals = Signals(inputs, params)
        self.signals.gains = np.asarray(start.info["gains"])
        self.stated = stated(
            params.detector, params.tolerances, levelled=params.balance == "level",
            coefficients=params.emission.model == "parametric",
        )  # fmt: skip
        self.channels = self._channels()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the crop."""
        return self.signals.shape

    @cached_property
    def grey_per_electron(self) -> float:
        """Variance of the noise over the signal, both in grey values.

        Of two estimates from the images, the curl of the linear slopes and what the linear fit leaves over where there are more
        than three segments, the smaller is taken: edges and shadows raise the one, an emission that is not Lambert's the other.
        """
        if self.params.grey_per_electron is not None:
            return self.params.grey_per_electron
        found, left, spare = (
            float(self.start.info["grey_per_electron"]),
            self.start.info["chi2_median"],
            self.signals.count - 3,
        )
        if left is not None:
            found *= min(1.0, float(left) * spare / float(chi2.median(spare)))
        return max(found, 1e-12)

    def field(self, first: int, end: int, left: int, right: int) -> Field:
        """Give a window of the crop: rows `first` to `end`, columns `left` to `right`."""
        signal, usable = self.signals.rows(first, end)
        used = (usable & self.start.arrays["mask"][first:end])[:, :, left:right]
        values = np.where(used, signal[:, :, left:right], np.float32(0.0))
        gains = torch.from_numpy(self.signals.gains.astype(np.float32))[:, None, None]
        floor = (self.params.read_noise_grey**2 + self._quantisation) / gains**2
        data = Data(
            self._tensor(values), (self.grey_per_electron / gains).to(self.device), floor.to(self.device),
            self._tensor(used.astype(np.float32)),
        )  # fmt: skip
        window = np.s_[first:end, left:right]
        return Field(data, self._material(window), self.params.pixel_size_nm, self._parallax(window), self.params)

    def whole(self) -> Field:
        """Give the whole crop."""
        return self.field(0, self.shape[0], 0, self.shape[1])

    def heights(self) -> NDArray[np.float32]:
        """Give the heights to start from, in nm."""
        if "start" not in self.inputs:
            return np.asarray(self.start.arrays["height"], np.float32)
        given = self._map("start")
        if not np.isfinite(given).all():
            raise EclipsError("the heights to start from have gaps", where="start", hint="Fill them first.")
        return np.array(given, np.float32)  # a copy: what comes from a project is read-only, which Torch dislikes

    def clipped(self) -> Bools:
        """Tell where some segment is not used while the pixel is [row, col]."""
        return np.asarray(self.mask & ~self.usable.all(axis=0))

    @cached_property
    def usable(self) -> Bools:
        """Tell which signals are used [k, row, col]."""
        rows = self.shape[0]
        return (
            np.concatenate([self.signals.rows(a, min(a + _BAND, rows))[1] for a in range(0, rows, _BAND)], axis=1)
            & self.mask
        )

    @property
    def mask(self) -> Bools:
        """Tell where heights rest on data [row, col]."""
        return np.asarray(self.start.arrays["mask"], bool)

    @cached_property
    def _quantisation(self) -> float:
        return _QUANTISATION if self.inputs["segments"].dtype.kind in "ui" else 0.0

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _parallax(self, window: tuple[slice, slice]) -> Parallax | None:
        if not self.params.scan_parallax:
            return None
        shape = self.inputs["segments"].shape
        place = geometry(self.params, self.signals.crop, (shape[1], shape[2]))
        return Parallax((float(place.x[window[1]].mean()), float(place.y[window[0]].mean())), self._pivot_mm())

    def _pivot_mm(self) -> float | None:
        """Give the height of the scan's pivot that a calibration has found; None: a parallel beam."""
        curvature = (self.params.detector.calibration or {}).get("scan", {}).get(SCAN[0], 0.0)
        return 1000.0 / float(curvature) if curvature else None

    def _material(self, window: tuple[slice, slice]) -> Material:
        mode = self.params.brightness
        if mode == "pixel":
            return Material()
        if mode == "material":
            labels = self._map("materials")
            if labels.dtype.kind not in "ui" or labels.min() < 0 or labels.max() > _MOST_LABELS:
                raise EclipsError(
                    "the labels of the materials are no whole numbers from 0 to 1000", where="materials",
                    hint="Give an image of integers.",
                )  # fmt: skip
            return Material(self._tensor(labels[window].astype(np.int64)))
        one = np.zeros(self.shape, np.int64)[window]
        if mode == "uniform":
            return Material(self._tensor(one))
        factor = self._map("rho")
        if not (np.isfinite(factor).all() and (factor > 0).all()):
            raise EclipsError(
                "the known brightness has gaps or values of zero and below", where="rho", hint="Fill them first."
            )
        return Material(self._tensor(one), self._tensor(factor[window].astype(np.float32)))

    def _map(self, name: str) -> NDArray[Any]:
        """Give an input of the crop's size."""
        if name not in self.inputs:
            raise EclipsError(
                f"the input '{name}' is missing", hint=f"Give it with the brightness '{self.params.brightness}'."
            )
        found = self.inputs[name]
        if found.shape != self.shape:
            raise EclipsError(
                f"'{name}' has {found.shape[-2:]} pixels, the part that is reconstructed {self.shape}",
                hint="Give a map of the same crop.",
            )  # fmt: skip
        return found

    def _channels(self) -> Channels:
        """Give the gains and offsets that are not known exactly, offsets in units of the signals."""
        detector = self.params.detector
        gains, offsets = gain_names(detector), offset_names(detector)
        names, covariance = self.stated.part((*gains, *offsets))
        places = tuple((gains.index(n), True) if n in gains else (offsets.index(n), False) for n in names)
        scale = np.array([1.0 if is_gain else 1.0 / self.signals.gains[k] for k, is_gain in places])
        return Channels(names, places, covariance * np.outer(scale, scale), np.zeros(len(names)))
