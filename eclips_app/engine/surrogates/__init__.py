"""Neural networks that imitate the exact forward model: VFT for any detector, DSM for one.

They are here to be measured against it, for teaching, and for graphics cards: on a processor the exact model is faster and has
no error. Both take slopes; what the detector, the probe and the pixels make of a signal is added by the exact tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.paths import resource
from eclips_app.engine.forward.model import ForwardModel, slopes
from eclips_app.engine.surrogates import dsm, limits
from eclips_app.engine.surrogates.dsm_file import Distilled, check_match, read_dsm

Report = Callable[[float], None]


@dataclass(frozen=True)
class Rendered:
    """What a network makes of heights.

    Attributes
    ----------
    samples : tensor [k, row, col]
        Signal at each height sample for unit brightness, as `ForwardModel.samples` gives it.
    outside : array [row, col]
        True where the surface is unlike all that the network has learnt from.
    """

    samples: torch.Tensor
    outside: NDArray


def weights_file(name: str, weights: str = "") -> Path:
    """Give the file of a network: the given one, or that which comes with the program."""
    return Path(weights) if weights else resource("models") / f"{name}.safetensors"


def render(
    name: str,
    model: ForwardModel,
    height_nm: torch.Tensor,
    detector: Detector,
    emission: Emission,
    weights: str = "",
    report: Report | None = None,
) -> Rendered:
    """Render with a network, "vft" or "dsm"; differentiable in the heights.

    Parameters
    ----------
    name : str
    model : ForwardModel
        Tables of the detector, in the precision in which is rendered.
    height_nm : tensor [row, col]
    detector, emission : Detector, Emission
        Those of the model; a DSM knows only its own.
    weights : str
        Path of a file; empty: the one that comes with the program.
    report : callable, optional
        Called with the part done, 0 to 1; may raise to stop.

    Raises
    ------
    EclipsError
        No such network, a file that cannot be read, or a DSM of another detector or emission.
    """
    if name == "dsm":
        return _render_dsm(model, height_nm, detector, emission, weights_file(name, weights), report)
    raise EclipsError(f"there is no network '{name}'", hint="Choose vft or dsm.")


def _render_dsm(
    model: ForwardModel, height_nm: torch.Tensor, detector: Detector, emission: Emission, path: Path,
    report: Report | None,
) -> Rendered:  # fmt: skip
    made = _read_dsm(path, path.stat().st_mtime_ns if path.exists() else 0)
    check_match(made, detector, emission, path.name)
    height = model.local(height_nm)
    found = dsm.samples(made.network.to(height), model, height_nm, report)
    with torch.no_grad():
        still = height.detach()
        outside = limits.too_steep(slopes(still).cpu().numpy(), made.steepest)
        reach, lowest = made.network.layout.reach, float(model.sectors.bounds[0])
        outside |= limits.may_be_hidden_from_afar(still.cpu().numpy(), reach, max(lowest, 1e-3))
    return Rendered(found, outside)


@lru_cache(maxsize=4)
def _read_dsm(path: Path, _changed: int) -> Distilled:
    return read_dsm(path)
