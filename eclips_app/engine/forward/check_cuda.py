"""Compares the CUDA loops of the forward model with those of the CPU, and times them.

``python -m eclips_app.engine.forward.check_cuda`` is all that a computer with a CUDA device needs to tell whether they are right
there. It is a module of its own, and not a test, since most computers that run the tests have no such device.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import ModuleType

import torch
from torch.autograd import forward_ad

from eclips_app.core.emission import Emission
from eclips_app.engine.forward import quadrature, torch_horizon
from eclips_app.engine.forward.measure import DETECTOR, EMISSIONS
from eclips_app.engine.forward.model import detector_tables, slopes
from eclips_app.engine.forward.scene import Plan, Scene
from eclips_app.engine.forward.tables import Sectors
from eclips_app.engine.surfaces import rough

#: Of the results of `Case.by_loops` and `Case.differentiated`.
RESULTS = ("signal", "by height", "by slopes", "by weights", "by table", "tangent")

Results = tuple[torch.Tensor, ...]


class Case:
    """A scene, what is caught of it, and random derivatives to go through it both ways.

    Parameters
    ----------
    emission : Emission
    shape : tuple
        Rows and columns.
    azimuths : int
    device : torch.device
    dtype : torch.dtype
    """

    def __init__(
        self, emission: Emission, shape: tuple[int, int], azimuths: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        expansion, tables = detector_tables(DETECTOR, emission, azimuths)
        height = torch.from_numpy(rough(shape, 1.0, 3) * 3.0)
        random = torch.Generator().manual_seed(1)

        def to(x: torch.Tensor) -> torch.Tensor:
            return x.to(device, dtype)

        def noise(*shape: int) -> torch.Tensor:
            return to(torch.randn(shape, generator=random, dtype=torch.float64))

        tangents = slopes(height)
        self.scene = Scene(to(height), to(tangents), to(expansion.weights(tangents)))
        self.sectors: Sectors = tables.to(device, dtype)
        self.plan = Plan(self.sectors.taken, *self.sectors.plan)
        self.graded = noise(tables.total.shape[0], *shape)
        self.change = Scene(*(noise(*x.shape) for x in self.scene))
        self.taken_change = noise(*tables.taken.shape)
        self.winner = torch.empty((azimuths, *shape), dtype=torch.int16, device=device)

    def signal(self, loops: ModuleType) -> torch.Tensor:
        """Give the signal, and keep who won."""
        out = torch.einsum("kj,jrc->krc", self.sectors.total, self.scene.weights).contiguous()
        loops.signal(self.scene, self.plan, self.winner, out)
        return out

    def adjoint(self, loops: ModuleType) -> Results:
        """Give the derivatives by heights, slopes and functions of the normal; after `signal`."""
        found = [torch.zeros_like(x) for x in self.scene[:2]]
        found.append(torch.einsum("kj,krc->jrc", self.sectors.total, self.graded).contiguous())
        loops.adjoint(self.scene, self.plan, self.winner, self.graded, *found)
        return tuple(found)

    def table_gradient(self, loops: ModuleType) -> torch.Tensor:
        """Give the derivatives by the tables; after `signal`."""
        found = torch.zeros_like(self.plan.taken)
        loops.table_gradient(self.scene, self.plan, self.winner, self.graded, found)
        return found

    def tangent(self, loops: ModuleType) -> torch.Tensor:
        """Give the change of the signal; after `signal`."""
        out = torch.einsum("kj,jrc->krc", self.sectors.total, self.change.weights).contiguous()
        loops.tangent(self.scene, self.plan, self.winner, self.change, self.taken_change, out)
        return out

    def by_loops(self, loops: ModuleType) -> Results:
        """Give all results of a module of loops, in the order of `RESULTS`."""
        made = self.signal(loops)
        return made, *self.adjoint(loops), self.table_gradient(loops), self.tangent(loops)

    def differentiated(self) -> Results:
        """Give the same by differentiating `by_quadrature`: on the CPU by the compiled loops."""
        inputs = [x.clone().requires_grad_() for x in (*self.scene, self.plan.taken)]
        made = self.by_quadrature(*inputs)
        gradients = torch.autograd.grad(made, inputs, self.graded)
        with forward_ad.dual_level():
            pairs = zip((*self.scene, self.plan.taken), (*self.change, self.taken_change), strict=True)
            moving = [forward_ad.make_dual(*pair) for pair in pairs]  # type: ignore[no-untyped-call]
            moved = forward_ad.unpack_dual(self.by_quadrature(*moving))  # type: ignore[no-untyped-call]
            return made.detach(), *gradients, moved.tangent

    def by_quadrature(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the signal of the scene, or of other heights, slopes, functions of the normal and tables."""
        height, tangents, weights, taken = inputs or (*self.scene, self.plan.taken)
        return quadrature.signal(height, tangents, weights, replace(self.sectors, taken=taken))


def report(device: torch.device, backends: list[ModuleType], compared: int, timed: int, azimuths: int) -> Iterator[str]:
    """Give the lines that `main` prints.

    Parameters
    ----------
    device : torch.device
        Where `backends` run.
    backends : list
        Modules of loops with the functions of `torch_horizon`.
    compared, timed : int
        Edges of the images that are compared and timed, px.
    azimuths : int
    """
    cpu = torch.device("cpu")
    yield f"Differences from the compiled loops (norms, relative), {compared} x {compared} pixels"
    for name, emission in EMISSIONS.items():
        for dtype in (torch.float64, torch.float32):
            given = (emission, (compared, compared), azimuths)
            expected = Case(*given, cpu, dtype).differentiated()
            for loops in backends:
                found = Case(*given, device, dtype).by_loops(loops)
                errors = (relative_error(f.to(cpu), e) for f, e in zip(found, expected, strict=True))
                figures = ", ".join(f"{what} {error:.1e}" for what, error in zip(RESULTS, errors, strict=True))
                yield f"  {_name(loops)}, {name}, {str(dtype).removeprefix('torch.')}: {figures}"
    yield f"Wall time of a pass in ms, {timed} x {timed} pixels, {azimuths} azimuths, float32, Lambert"
    case = Case(EMISSIONS["lambert"], (timed, timed), azimuths, device, torch.float32)
    for loops in backends:
        passes = (case.signal, case.adjoint, case.tangent, case.table_gradient)
        figures = ", ".join(f"{p.__name__} {_milliseconds(partial(p, loops), device):.2f}" for p in passes)
        yield f"  {_name(loops)}: {figures}"
    on_cpu = Case(EMISSIONS["lambert"], (timed, timed), azimuths, cpu, torch.float32)
    yield f"  compiled loops on the CPU: signal {_milliseconds(on_cpu.by_quadrature, cpu):.2f}"


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Give ``|found - expected| / |expected|``."""
    return float((found - expected).double().norm() / expected.double().norm())


def _milliseconds(run: Callable[[], object], device: torch.device) -> float:
    """Give the median of a few runs, after one that compiles."""
    times = []
    for _ in range(8):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def _name(loops: ModuleType) -> str:
    return loops.__name__.rpartition(".")[2]


def main() -> int:
    """Check the loops on the CUDA device; gives the exit status."""
    if not torch.cuda.is_available():
        print("Nothing was checked: this computer offers no CUDA device.", file=sys.stderr)
        return 1
    device = torch.device("cuda")
    chosen = quadrature.loops_for(device)
    print(f"{torch.cuda.get_device_name(device)}, Torch {torch.__version__}; the program uses {_name(chosen)} here.")
    for line in report(device, list(dict.fromkeys((chosen, torch_horizon))), 256, 1024, 32):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
