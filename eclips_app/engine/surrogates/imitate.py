"""Rendering by a neural network that imitates the exact model, whichever it is: VFT for any detector, DSM for one.

They are here to be measured against it, for teaching, and for graphics cards: on a processor the exact model is faster and has
no error. Both take slopes; what the detector, the probe and the pixels make of a signal is added by the exact tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.paths import resource
from eclips_app.engine.forward.model import ForwardModel, slopes
from eclips_app.engine.surrogates import dsm, limits, physics
from eclips_app.engine.surrogates.dsm import DSM
from eclips_app.engine.surrogates.dsm_file import Distilled, check_match, read_dsm
from eclips_app.engine.surrogates.render import horizon
from eclips_app.engine.surrogates.vft import Vft
from eclips_app.engine.surrogates.vft_weights import Range, out_of_range, read_vft

Report = Callable[[float], None]
_LEAST_LOWEST = 1e-3  #: slope of the lowest ray of detectors that take rays along the surface


@dataclass(frozen=True)
class Subject:
    """What is rendered for: the network's name ("vft" or "dsm"), its file (empty: the program's own), detector and emission."""

    name: str
    weights: str
    detector: Detector
    emission: Emission

    @property
    def path(self) -> Path:
        """The file of the network."""
        return Path(self.weights) if self.weights else resource("models") / f"{self.name}.safetensors"

    def azimuths(self, wanted: int) -> int:
        """Give the azimuths that the forward model needs: those of a VFT, for a DSM as many as are wanted."""
        return _vft(*_version(self.path))[0].size.azimuths if self.name == "vft" else wanted


@dataclass(frozen=True)
class Imitated:
    """What a network makes of heights.

    Attributes
    ----------
    samples : tensor [k, row, col]
        Signal at each height sample for unit brightness, as `ForwardModel.samples` gives it.
    outside : array [row, col]
        True where the surface is unlike all that the network has learnt from.
    """

    samples: torch.Tensor
    outside: NDArray[np.bool_]


def imitate(subject: Subject, model: ForwardModel, height_nm: torch.Tensor, report: Report | None = None) -> Imitated:
    """Render by a network; differentiable in the heights.

    Parameters
    ----------
    subject : Subject
    model : ForwardModel
        Tables of its detector and emission, with `Subject.azimuths`.
    height_nm : tensor [row, col]
    report : callable, optional
        Called with the part done, 0 to 1; may raise to stop.

    Raises
    ------
    EclipsError
        No such network, a file that cannot be read, or a DSM of another detector or emission.
    """
    if subject.name not in _WAYS:
        raise EclipsError(f"there is no network '{subject.name}'", hint=f"Choose {' or '.join(_WAYS)}.")
    return _WAYS[subject.name](subject, model, height_nm, report)


def network_of(subject: Subject) -> Vft | DSM:
    """Give the network that renders for a subject; errors as of `imitate`."""
    if subject.name == "vft":
        return _vft(*_version(subject.path))[0]
    made = _dsm(*_version(subject.path))
    check_match(made, subject.detector, subject.emission, subject.path.name)
    return made.network


def _by_vft(subject: Subject, model: ForwardModel, height_nm: torch.Tensor, _: Report | None) -> Imitated:
    network, learnt = _vft(*_version(subject.path))
    tangents = slopes(model.local(height_nm))
    weights = model.expansion.weights(tangents)
    found = physics.signal(horizon(network, tangents.float()).to(weights), weights, model.sectors)
    outside, _words = out_of_range(network, learnt, tangents.detach().float())
    return Imitated(model.placed(found), outside.cpu().numpy())


def _by_dsm(subject: Subject, model: ForwardModel, height_nm: torch.Tensor, report: Report | None) -> Imitated:
    made = _dsm(*_version(subject.path))
    check_match(made, subject.detector, subject.emission, subject.path.name)
    height = model.local(height_nm)
    network = made.network.to(height.device)
    found = dsm.samples(network, model, height_nm, report)
    with torch.no_grad():
        still = height.detach()
        reach = network.layout.reach
        outside = limits.too_steep(slopes(still).cpu().numpy(), made.steepest, reach)
        lowest = max(float(model.sectors.bounds[0]), _LEAST_LOWEST)
        outside |= limits.may_be_hidden_from_afar(still.cpu().numpy(), reach, lowest)
    return Imitated(found, outside)


_WAYS = {"vft": _by_vft, "dsm": _by_dsm}


def _version(path: Path) -> tuple[Path, int]:
    """Give a path and when the file was written, so that another file under the same name is read again."""
    return path, path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=2)
def _vft(path: Path, _written: int) -> tuple[Vft, Range]:
    return read_vft(path)


@lru_cache(maxsize=4)
def _dsm(path: Path, _written: int) -> Distilled:
    return read_dsm(path)
