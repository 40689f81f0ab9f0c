"""What `eclips bench forward` measures: times of the forward model and its derivatives, and their errors."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from eclips_app.core.detector import Detector, Segment
from eclips_app.core.emission import Emission
from eclips_app.engine.device import one_thread
from eclips_app.engine.forward import torch_horizon
from eclips_app.engine.forward.linearised import tangent_of
from eclips_app.engine.forward.model import ForwardModel, forward_model, slopes
from eclips_app.engine.forward.scene import Plan, Scene
from eclips_app.engine.surfaces import KINDS

#: Level annulus that accepts polar angles of 15 to 60 degrees.
DETECTOR = Detector(
    distance_mm=5.0,
    inner_radius_mm=float(5.0 * np.tan(np.deg2rad(15.0))),
    outer_radius_mm=float(5.0 * np.tan(np.deg2rad(60.0))),
    quadrants=tuple(Segment(name, 90.0 * k, 86.0, 1.0, 0.0) for k, name in enumerate("ENWS")),
)
EMISSIONS = {"lambert": Emission(), "parametric": Emission("parametric", coefficients=(0.4, 0.8, 0.05, 0.2, 1.0, 1.0))}
Timed = dict[str, float]


def speed(kind: str, size: int, azimuths: int, emission: str = "lambert", *, plain: bool = False) -> Timed:
    """Time images of a surface, their adjoint and tangent, in single precision; CPU seconds of all threads, best of three.

    With `plain`, the forward pass in plain Torch alone.
    """
    model = forward_model(DETECTOR, 1.0, emission=EMISSIONS[emission], azimuths=azimuths, dtype=torch.float32)
    height = torch.from_numpy(KINDS[kind]((size, size), 1.0, 3)).float()
    with one_thread():  # of Torch; the compiled loops take all cores
        if plain:
            return {"forward_cpu_s": _best(lambda: _plain(model, height), 1)[0]}
        cpu, wall = _best(lambda: model.samples(height.numpy()), 3)
        unknown = height.clone().requires_grad_()
        images = model.images(unknown)
        graded = torch.ones_like(images)
        back = _best(lambda: torch.autograd.grad(images, unknown, graded, retain_graph=True), 3)[0]
        both = _best(lambda: tangent_of(model.images, height, graded[0]), 2)[0]
        kept = _best(lambda: model.images(unknown), 2)[0]
    return {
        "forward_cpu_s": cpu, "forward_wall_s": wall, "with_winners_cpu_s": kept, "adjoint_cpu_s": back,
        "tangent_cpu_s": max(both - kept, 0.0),
    }  # fmt: skip


def derivative_errors(size: int = 48, places: int = 150) -> dict[str, dict[str, float]]:
    """Compare adjoint and tangent by heights with central differences, in double precision, on a surface of slope 0.9.

    One height at a time. Where both one-sided differences disagree by more than 1e-5 of the root mean square gradient, a horizon
    changes hands between them or passes a node of the tables, and there is no derivative; such places are counted and left out.
    """
    height = torch.from_numpy(KINDS["rough"]((size, size), 1.0, 3) * 3.0)
    rng = np.random.default_rng(1)
    weights = torch.from_numpy(rng.standard_normal((4, size, size)))
    found = {}
    for name, emission in EMISSIONS.items():
        model = forward_model(DETECTOR, 1.0, emission=emission, azimuths=32)

        def total(h: torch.Tensor, model: ForwardModel = model) -> torch.Tensor:
            return (model.images(h) * weights).sum()

        unknown = height.clone().requires_grad_()
        gradient = torch.autograd.grad(total(unknown), unknown)[0]
        scale = float(gradient.square().mean().sqrt())
        errors, kinks = [], 0
        for row, col in rng.integers(0, size, (places, 2)):
            ahead, here, behind = (float(total(_moved(height, row, col, s * 1e-6))) for s in (1, 0, -1))
            if abs((ahead - here) - (here - behind)) > 1e-5 * 1e-6 * scale:
                kinks += 1
                continue
            errors.append(abs((ahead - behind) / 2e-6 - float(gradient[row, col])) / scale)
        direction = torch.from_numpy(rng.standard_normal((size, size)))
        along = float(tangent_of(total, height, direction))
        adjoint = float((gradient * direction).sum())
        found[name] = {
            "median": float(np.median(errors)), "largest": float(np.max(errors)), "left_out": kinks / places,
            "tangent_against_adjoint": abs(along - adjoint) / abs(adjoint),
        }  # fmt: skip
    return found


def _moved(height: torch.Tensor, row: int, col: int, by: float) -> torch.Tensor:
    moved = height.clone()
    moved[row, col] += by
    return moved


def _plain(model: ForwardModel, height: torch.Tensor) -> None:
    tables, tangents = model.sectors, slopes(height)
    weights = model.expansion.weights(tangents)
    winner = torch.empty((tables.directions.shape[1], *height.shape), dtype=torch.int16)
    out = torch.einsum("kj,jrc->krc", tables.total, weights)
    scene, plan = Scene(height, tangents, weights), Plan(tables.taken, *tables.plan)
    torch_horizon.signal(scene, plan, winner, out)


def _best(run: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Give the least CPU and wall time in seconds, after a first run."""
    if repeats > 1:
        run()
    times = []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in times), min(wall for _, wall in times)
