"""Forward models of the closed loop: the exact one, and the networks that imitate it.

All of them take slopes as unknowns of their own beside the height: slopes say how each place shines, heights what is in the way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor
from torch.nn.functional import avg_pool2d

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Learned, automatic
from eclips_app.engine.forward.model import ForwardModel
from eclips_app.engine.forward.model import slopes as slopes_of
from eclips_app.engine.learned.height import finer
from eclips_app.engine.refine.field import Field
from eclips_app.engine.surrogates import dsm, imitate
from eclips_app.engine.surrogates.dsm import DSM
from eclips_app.engine.surrogates.render import render
from eclips_app.engine.surrogates.vft import Vft


class Renderer(Protocol):
    """What makes images of a surface."""

    def images(self, height_px: Tensor, slopes: Tensor) -> Tensor:
        """Give the images [k, row, col] in units of a flat, of unit brightness; differentiable.

        Parameters
        ----------
        height_px : tensor [row, col]
            In pixels.
        slopes : tensor [2, row, col]
            Slopes (right, up): means over the pixels.
        """


@dataclass(frozen=True)
class Exact:
    """The exact model."""

    model: ForwardModel

    def images(self, height_px: Tensor, slopes: Tensor) -> Tensor:
        """See `Renderer.images`."""
        times = self.model.response.subpixels
        height_nm = finer(height_px[None], times)[0] * (self.model.spacing_nm * times)
        return self.model.images(height_nm, normal_slopes=finer(slopes, times))


@dataclass(frozen=True)
class ByVft:
    """Vision Field Transformer: horizons from the slopes alone."""

    model: ForwardModel
    network: Vft

    def images(self, height_px: Tensor, slopes: Tensor) -> Tensor:
        """See `Renderer.images`; the height is not looked at."""
        return render(self.network, self.model, slopes=finer(slopes, self.model.response.subpixels))


@dataclass(frozen=True)
class ByDsm:
    """Distilled simulator of one detector: images from the slopes alone."""

    model: ForwardModel
    network: DSM

    def images(self, height_px: Tensor, slopes: Tensor) -> Tensor:
        """See `Renderer.images`; the height is not looked at."""
        model, tangents = self.model, finer(slopes, self.model.response.subpixels)
        signal = dsm.reflectance(model, tangents) * dsm.factors(self.network, tangents)
        return model.response(signal) / model.flat


def renderer(field: Field, params: Learned) -> Renderer:
    """Give the forward model that the parameters ask for, for the images of a field.

    Raises
    ------
    EclipsError
        No such model, a file of weights that cannot be read, or a DSM of another detector or emission.
    """
    if params.renderer == "bsesm":
        return Exact(field.model(params.subpixels))
    if params.renderer not in ("vft", "dsm"):
        raise EclipsError(f"there is no forward model '{params.renderer}'", hint="Choose bsesm, vft or dsm.")
    subject = imitate.Subject(params.renderer, params.renderer_weights, params.detector, params.emission)
    azimuths = subject.azimuths(automatic(params).azimuths)
    model = replace(field, params=replace(field.params, azimuths=azimuths)).model(params.subpixels)
    network = imitate.network_of(subject).to(field.data.signal.device)
    return ByVft(model, network) if isinstance(network, Vft) else ByDsm(model, network)


def rendered(field: Field, height_nm: Tensor, subpixels: int) -> tuple[Tensor, Tensor]:
    """Give the images [k, row, col] of a known surface [row, col] by the exact model, and its slopes [2, row, col]."""
    model = field.model(subpixels)
    fine = finer(height_nm[None], subpixels)[0]
    return model.images(fine), avg_pool2d(slopes_of(fine / model.spacing_nm), subpixels)
