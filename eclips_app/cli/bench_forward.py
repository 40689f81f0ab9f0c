"""The forward model: time and memory, errors of its derivatives, and the reference cases rendered from their truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.bench_cases import residual_table
from eclips_app.cli.memory import peak_rss_mib
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Simulate, run_step

_SIZES = (256, 512, 1024, 2048)
_LARGE = 4096
_AZIMUTHS = 32
_PAPER_S = 20 * 3600.0  #: "more than 20 h" for 1024 x 1024 pixels (ECLIPS paper)
_MC_PIXELS = 64
_MC_RAYS = 2048


def tables(shared: Path, context: Context, *, large: bool = False) -> list[Table]:
    """Measure; `large` adds 4096 x 4096 pixels."""
    found = [_speed((*_SIZES, *((_LARGE,) if large else ())), context)]
    context.progress(0.6, "Derivatives")
    found.append(_derivatives())
    context.progress(0.7, "Reference cases")
    return [*found, residual_table(shared, context)]


def _speed(sizes: tuple[int, ...], context: Context) -> Table:
    runs = [("steps", size, "lambert", False) for size in sizes]
    runs += [(kind, 1024, "lambert", False) for kind in ("rough", "grating")]
    runs += [("rough", 2048, "lambert", False), ("rough", 1024, "parametric", False), ("rough", 1024, "lambert", True)]
    rows: list[tuple[Any, ...]] = []
    for number, (kind, size, emission, plain) in enumerate(runs):
        context.progress(0.6 * number / len(runs), f"Forward model, {size} pixels")
        found = _in_process(kind, size, emission, plain=plain)
        name = "plain Torch" if plain else "bsesm" if emission == "lambert" else f"bsesm, {emission} emission"
        nanoseconds = 1e9 * found["forward_cpu_s"] / size**2
        rows.append((name, kind, f"{size} x {size}", nanoseconds, *(found.get(column) for column in _MEASURED)))
    rows.append(_monte_carlo())
    rows.append(("paper's simulator", "–", "1024 x 1024", 1e9 * _PAPER_S / 1024**2, _PAPER_S, *(None,) * 5))
    notes = (
        f"{_AZIMUTHS} azimuths, four segments, polar angles from 15 to 60 degrees, single precision, CPU seconds of all threads,"
        " each row in a process of its own. With winners: the pass that derivatives need, which keeps who blocks each pixel.",
        f"mc: {_MC_RAYS} electrons per pixel, measured on {_MC_PIXELS} x {_MC_PIXELS} pixels and scaled. The paper's figure is"
        " wall time on its machine. Steps are the same at every size; the relief of the rough surface grows with it.",
    )
    columns = ("model", "surface", "pixels", "cpu_ns_per_pixel", *_MEASURED)
    return Table("Images of a surface and their derivatives", columns, tuple(rows), notes)


_MEASURED = (
    "forward_cpu_s", "forward_wall_s", "with_winners_cpu_s", "adjoint_cpu_s", "tangent_cpu_s", "peak_rss_mib",
)  # fmt: skip


def _in_process(kind: str, size: int, emission: str, *, plain: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", __name__, kind, str(size), emission, str(int(plain))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EclipsError(f"the benchmark of {size} pixels ended with: {last[0]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _monte_carlo() -> tuple[Any, ...]:
    import time

    from eclips_app.engine.forward.measure import DETECTOR
    from eclips_app.engine.surfaces import KINDS

    height = KINDS["rough"]((_MC_PIXELS, _MC_PIXELS), 1.0, 3)
    cpu = 0.0
    for rays in (2, _MC_RAYS):  # the first one compiles
        cpu = -time.process_time()
        run_step("simulate", {"height": height}, Simulate(DETECTOR, 1.0, model="mc", rays=rays), SilentContext())
        cpu += time.process_time()
    scaled = cpu * (1024 / _MC_PIXELS) ** 2
    return "mc", "rough", "1024 x 1024", 1e9 * scaled / 1024**2, scaled, *(None,) * 5


def _derivatives() -> Table:
    from eclips_app.engine.forward.measure import derivative_errors

    rows = tuple((name, *found.values()) for name, found in derivative_errors().items())
    notes = (
        "Adjoint by single heights against central differences in double precision, over the root mean square gradient; left_out:"
        " part of the heights at which a horizon changes hands, or passes a node of the tables, within the difference.",
    )
    columns = ("emission", "median_error", "largest_error", "left_out", "tangent_against_adjoint")
    return Table("Derivatives of the images by the heights", columns, rows, notes)


if __name__ == "__main__":
    from eclips_app.engine.forward.measure import speed

    measured: dict[str, Any] = {
        **speed(sys.argv[1], int(sys.argv[2]), _AZIMUTHS, sys.argv[3], plain=bool(int(sys.argv[4])))
    }
    print(json.dumps({**measured, "peak_rss_mib": peak_rss_mib()}, default=np.ndarray.tolist))
