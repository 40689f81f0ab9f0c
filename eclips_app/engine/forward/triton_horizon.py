"""The loops of `kernels` on CUDA, each a single launch: what `torch_horizon` does in one pass per step, done in registers.

Same arrays, same discretisation, same winners; derivatives by heights and tables are added atomically, so that their last digits
may differ from run to run. So far this has been run with Triton's interpreter and compiled for GPUs, but not yet run on one:
``python -m eclips_app.engine.forward.check_cuda`` compares it with the other loops there, and times them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from eclips_app.engine.forward import triton_kernels
from eclips_app.engine.forward.march import line_of
from eclips_app.engine.forward.scene import Plan, Scene

#: Pixels that march together: one for each lane of a warp, so that none waits for another warp.
WIDTH, HEIGHT = 32, 1
SHIFT = 5  #: tiles that prune the march have edges of ``2**SHIFT`` pixels
_AHEAD = 4  #: steps that a march may look up beyond the border


class Lines(NamedTuple):
    """Where the steps of each azimuth end (see `triton_kernels`)."""

    numbers: torch.Tensor
    lines: torch.Tensor
    low: torch.Tensor
    part: torch.Tensor
    shares: torch.Tensor


def signal(scene: Scene[torch.Tensor], plan: Plan[torch.Tensor], winner: torch.Tensor, out: torch.Tensor) -> None:
    """Subtract from `out` [k, row, col] what horizons take away, and fill `winner`."""
    given, lines = _flat(scene), _lines(plan, scene.height)
    tiles = torch.nn.functional.max_pool2d(given[0][None], 1 << SHIFT, ceil_mode=True)[0].contiguous()
    sizes = (tiles.shape[1], *_sizes(plan, lines))
    arrays = (*given, tiles, plan.taken.detach().contiguous(), *lines, winner, out)
    _launch(triton_kernels.signal_rows, arrays, sizes, SHIFT=SHIFT)


def adjoint(
    scene: Scene[torch.Tensor], plan: Plan[torch.Tensor], winner: torch.Tensor, gradient: torch.Tensor, to_height: torch.Tensor,
    to_slopes: torch.Tensor, to_weights: torch.Tensor,
) -> None:  # fmt: skip
    """Add the derivatives of ``Sum gradient * signal`` to `to_height`, `to_slopes` and `to_weights`."""
    lines = _lines(plan, scene.height)
    given = (*_flat(scene), plan.taken.detach().contiguous(), *lines, winner, gradient.contiguous())
    _launch(triton_kernels.adjoint_rows, (*given, to_height, to_slopes, to_weights), _sizes(plan, lines))


def tangent(
    scene: Scene[torch.Tensor],
    plan: Plan[torch.Tensor],
    winner: torch.Tensor,
    change: Scene[torch.Tensor],
    taken_change: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Subtract from `out` [k, row, col] the change of what horizons take away; an empty `taken_change` is none."""
    lines, taken = _lines(plan, scene.height), plan.taken.detach().contiguous()
    moved = taken_change.numel() > 0
    given = (
        *_flat(scene),
        taken,
        *lines,
        winner,
        *_flat(change),
        taken_change.detach().contiguous() if moved else taken,
    )
    _launch(triton_kernels.tangent_rows, (*given, out), _sizes(plan, lines), MOVED=moved)


def table_gradient(
    scene: Scene[torch.Tensor],
    plan: Plan[torch.Tensor],
    winner: torch.Tensor,
    gradient: torch.Tensor,
    to_taken: torch.Tensor,
) -> None:
    """Subtract from `to_taken` [a, node, k, j] the derivatives of ``Sum gradient * signal`` with respect to the table."""
    lines = _lines(plan, scene.height)
    arrays = (*_flat(scene), *lines, winner, gradient.contiguous(), to_taken)
    _launch(triton_kernels.table_rows, arrays, _sizes(plan, lines))


def _launch(kernel: Any, arrays: tuple[torch.Tensor, ...], sizes: tuple[int, ...], **constants: int) -> None:
    """Run a kernel once for each block of the image, which the first array is; without gaps, as the device code counts on."""
    assert all(array.is_contiguous() for array in arrays)
    rows, columns = arrays[0].shape
    blocks = (-(-columns // WIDTH), -(-rows // HEIGHT))
    warps = max(1, WIDTH * HEIGHT // 32)
    with torch.cuda.device_of(arrays[0]):  # type: ignore[no-untyped-call]
        kernel[blocks](*arrays, rows, columns, *sizes, WIDTH=WIDTH, HEIGHT=HEIGHT, **constants, num_warps=warps)


def _flat(scene: Scene[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Give the arrays without gaps."""
    return tuple(x.detach().contiguous() for x in scene)


def _sizes(plan: Plan[torch.Tensor], lines: Lines) -> tuple[int, ...]:
    """Give the numbers of azimuths, steps, nodes, segments and functions."""
    azimuths, *table = plan.taken.shape
    return (azimuths, lines.shares.numel(), *table)


def _lines(plan: Plan[torch.Tensor], like: torch.Tensor) -> Lines:
    """Tabulate the steps of all azimuths, up to the longest side of the image."""
    steps = np.arange(max(like.shape) + _AHEAD)
    numbers, lines, drifts = [], [], []
    for (right, up), seen in zip(plan.directions.T, plan.seen, strict=True):
        along, sign, drift, length = line_of(right, -up)
        numbers.append((right, up, length, *plan.bounds))
        lines.append((0, sign, 1, 0, *seen) if along else (sign, 0, 0, 1, *seen))
        drifts.append(drift)
    across = np.array(drifts)[:, None] * steps
    low = np.floor(across)
    shares = np.divide(1.0, steps, out=np.zeros(steps.size), where=steps > 0)
    return Lines(
        torch.tensor(numbers).to(like), torch.tensor(lines, dtype=torch.int32).to(like.device),
        torch.from_numpy(low.astype(np.int32)).to(like.device), torch.from_numpy(across - low).to(like),
        torch.from_numpy(shares).to(like),
    )  # fmt: skip
