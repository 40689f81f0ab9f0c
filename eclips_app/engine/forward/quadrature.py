"""Signal of a height field by horizons, as a function that Torch differentiates backward and forward.

``I_k = Sum_j b_j (total_kj - Sum_a taken_akj(m_a))`` with the functions b_j of the normal and the slope m_a of the horizon in
sector a. The horizon is the largest of slopes that are linear in the heights: its derivative is that of the occluder that
won, exact wherever there is a derivative at all. Only the winners (16 bits for each pixel and azimuth) are kept for the way back.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from eclips_app.engine.forward import numba_horizon, torch_horizon
from eclips_app.engine.forward.scene import Plan, Scene
from eclips_app.engine.forward.tables import Sectors

_NO_TABLE = torch.empty((0, 0, 0, 0))


def signal(height: torch.Tensor, slopes: torch.Tensor, weights: torch.Tensor, sectors: Sectors) -> torch.Tensor:
    """Give the signal of each segment for unit brightness, [..., k, row, col].

    Parameters
    ----------
    height : tensor [..., row, col]
        In pixels. Beyond the border nothing stands in the way.
    slopes : tensor [..., 2, row, col]
        Right and up: the tangent planes.
    weights : tensor [..., j, row, col]
        Functions of the normal of the tables' expansion.
    sectors : Sectors
        Tables on the same device and of the same type. All tensors may need gradients, the tables too.
    """
    if height.dim() > 2:
        each = zip(height, slopes, weights, strict=True)
        return torch.stack([signal(h, s, w, sectors) for h, s, w in each])
    made = _Signal.apply(height, slopes, weights, sectors.taken, sectors.total, sectors)  # type: ignore[no-untyped-call]
    found: torch.Tensor = made[0]
    return found


class _Signal(torch.autograd.Function):
    """Gives the signal and the winners; only the first has derivatives."""

    @staticmethod
    def forward(
        height: torch.Tensor, slopes: torch.Tensor, weights: torch.Tensor, taken: torch.Tensor, total: torch.Tensor,
        sectors: Sectors,
    ) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
        out = torch.einsum("kj,jrc->krc", total, weights).contiguous()
        winner = torch.empty((sectors.directions.shape[1], *height.shape), dtype=torch.int16, device=height.device)
        scene, plan = Scene(height, slopes, weights), Plan(taken, *sectors.plan)
        loops_for(height.device).signal(scene, plan, winner, out)
        return out, winner

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        *tensors, sectors = inputs
        ctx.plan = sectors.plan
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, output[1])
        ctx.save_for_forward(*tensors, output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor | None, _: Any) -> tuple[torch.Tensor | None, ...]:
        if gradient is None:
            return (None,) * 6
        height, slopes, weights, taken, total, winner = ctx.saved_tensors
        gradient = gradient.contiguous()
        scene, plan = Scene(height, slopes, weights), Plan(taken, *ctx.plan)
        to_height, to_slopes = height.new_zeros(height.shape), slopes.new_zeros(slopes.shape)
        to_weights = torch.einsum("kj,krc->jrc", total, gradient).contiguous()
        wanted = ctx.needs_input_grad[3] or ctx.needs_input_grad[4]
        to_total = torch.einsum("krc,jrc->kj", gradient, weights) if wanted else None
        to_taken = taken.new_zeros(taken.shape) if wanted else None
        loops = loops_for(height.device)
        loops.adjoint(scene, plan, winner, gradient, to_height, to_slopes, to_weights)
        if to_taken is not None:
            loops.table_gradient(scene, plan, winner, gradient, to_taken)
        return to_height, to_slopes, to_weights, to_taken, to_total, None

    @staticmethod
    def jvp(ctx: Any, *changes: torch.Tensor | None) -> tuple[torch.Tensor, None]:
        height, slopes, weights, taken, total, winner = ctx.saved_tensors
        given = zip(changes[:3], (height, slopes, weights), strict=True)
        moved = [torch.zeros_like(x) if change is None else change for change, x in given]
        table = _NO_TABLE.to(height) if changes[3] is None else changes[3]
        out = torch.einsum("kj,jrc->krc", total, moved[2])
        if changes[4] is not None:
            out = out + torch.einsum("kj,jrc->krc", changes[4], weights)
        out = out.contiguous()
        scene, plan = Scene(height, slopes, weights), Plan(taken, *ctx.plan)
        change = Scene(*moved)
        loops_for(height.device).tangent(scene, plan, winner, change, table, out)
        return out, None


@lru_cache(maxsize=8)
def loops_for(device: torch.device) -> ModuleType:
    """Give the loops for a device: `numba_horizon`; on CUDA `triton_horizon` where Triton can run, else `torch_horizon`.

    Torch brings Triton on Linux. It reads the sources of what it compiles, builds a launcher with the system's C compiler and
    Python's headers, and needs the compute capability 7.
    """
    if device.type != "cuda":
        return numba_horizon
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    headers = Path(sysconfig.get_path("include"), "Python.h").is_file()
    installed = importlib.util.find_spec("triton") is not None and not getattr(sys, "frozen", False)
    if not (compiler and headers and installed and torch.cuda.get_device_capability(device) >= (7, 0)):
        return torch_horizon
    from eclips_app.engine.forward import triton_horizon

    return triton_horizon
