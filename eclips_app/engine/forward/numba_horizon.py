"""The compiled loops of `kernels` on Torch tensors of the CPU, with the same functions as `torch_horizon`."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.engine.forward import kernels
from eclips_app.engine.forward.march import tile_maxima
from eclips_app.engine.forward.scene import Plan, Scene

#: Of rows, whose height gradients are added up: not as many as threads, so that the bits do not depend on their number.
_BANDS = 4


def signal(scene: Scene[torch.Tensor], plan: Plan[torch.Tensor], winner: torch.Tensor, out: torch.Tensor) -> None:
    """Subtract from `out` [k, row, col] what horizons take away, and fill `winner`."""
    rows = (0, scene.height.shape[0])
    tiles = tile_maxima(_array(scene.height))
    kernels.signal_rows(_scene(scene), tiles, _plan(plan), rows, winner.numpy(), out.numpy())


def adjoint(
    scene: Scene[torch.Tensor], plan: Plan[torch.Tensor], winner: torch.Tensor, gradient: torch.Tensor, to_height: torch.Tensor,
    to_slopes: torch.Tensor, to_weights: torch.Tensor,
) -> None:  # fmt: skip
    """Add the derivatives of ``Sum gradient * signal`` to `to_height`, `to_slopes` and `to_weights`."""
    bands = torch.zeros((_BANDS, *scene.height.shape), dtype=scene.height.dtype)
    given = _scene(scene), _plan(plan), winner.numpy(), _array(gradient)
    kernels.adjoint(*given, bands.numpy(), to_slopes.numpy(), to_weights.numpy())
    to_height += bands.sum(0)


def tangent(
    scene: Scene[torch.Tensor],
    plan: Plan[torch.Tensor],
    winner: torch.Tensor,
    change: Scene[torch.Tensor],
    taken_change: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Subtract from `out` [k, row, col] the change of what horizons take away; an empty `taken_change` is none."""
    given = _scene(scene), _plan(plan), winner.numpy(), _scene(change)
    kernels.tangent(*given, _array(taken_change), out.numpy())


def table_gradient(
    scene: Scene[torch.Tensor],
    plan: Plan[torch.Tensor],
    winner: torch.Tensor,
    gradient: torch.Tensor,
    to_taken: torch.Tensor,
) -> None:
    """Subtract from `to_taken` [a, node, k, j] the derivatives of ``Sum gradient * signal`` with respect to the table."""
    kernels.table_gradient(_scene(scene), _plan(plan), winner.numpy(), _array(gradient), to_taken.numpy())


def _array(value: torch.Tensor) -> NDArray[np.floating]:
    return value.detach().contiguous().numpy()


def _scene(scene: Scene[torch.Tensor]) -> Scene[NDArray[np.floating]]:
    return Scene(_array(scene.height), _array(scene.slopes), _array(scene.weights))


def _plan(plan: Plan[torch.Tensor]) -> Plan[NDArray[np.floating]]:
    return Plan(_array(plan.taken), plan.seen, plan.directions, plan.bounds)
