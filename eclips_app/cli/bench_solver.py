"""Time and memory of the closed loop beside the linear reconstruction; each size in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.bench_known import PIXEL_NM, annulus
from eclips_app.cli.bench_process import run_module
from eclips_app.cli.memory import peak_rss_mib
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.steps import ClosedLoop, Reconstruct, Simulate, Specimen, StepResult, run_step

COLUMNS = (
    "method", "pixels", "start", "cpu_s", "wall_s", "over_linear_cpu", "peak_rss_mib", "outer_steps", "inner_steps", "chi2",
    "target_cpu_s",
)  # fmt: skip
_SIZES = {"standard": (256, 512, 1024, 2048), "metrology": (256, 512, 1024)}
_LARGE = 4096
_TARGETS_S = {("standard", 512): 8.0, ("standard", 1024): 30.0, ("metrology", 512): 120.0}
_QUICK = {"standard": (128,)}
_RENDER = "render"
_SELF = "eclips_app.cli.bench_solver"  #: by name: as a script this module has another


def table(context: Context, *, large: bool = False, quick: bool = False) -> Table:
    """Measure; with `large` also 4096 x 4096 pixels, with `quick` only a small image."""
    sizes = _QUICK if quick else _SIZES
    jobs = [(method, size) for method, each in sizes.items() for size in each]
    rows: list[tuple[Any, ...]] = []
    for number, (method, size) in enumerate([*jobs, *([("standard", _LARGE)] if large else [])]):
        context.progress(number / (len(jobs) + large), f"{method}, {size} pixels")
        rows += _in_process(method, size)
    notes = (
        "CPU time is that of all threads in the step, standard deviations of 16 draws included; the process has run a small "
        "image before. Peak is that of the process up to then.",
        "warm: started from heights found before, as when one parameter is changed. Steps etched at 46 degrees.",
    )
    return Table("Closed loop, four segments, CPU", COLUMNS, tuple(rows), notes)


def _in_process(method: str, size: int) -> list[tuple[Any, ...]]:
    """Measure in a process of its own; another one renders, for a process inherits its parent's peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "segments.npy")
        run_module(_SELF, _RENDER, path, str(size))
        rows = json.loads(run_module(_SELF, method, path))
    return [tuple(row[name] for name in COLUMNS) for row in rows]


def images(size: int) -> NDArray[Any]:
    """Give noisy images [k, row, col] of `size` x `size` pixels."""
    specimen = Specimen("steps", size, size, PIXEL_NM, 1, slope_angle_deg=46.0)
    height = run_step("specimen", {}, specimen, SilentContext()).arrays["height"]
    params = Simulate(annulus(4), PIXEL_NM, dose=1e4, azimuths=32, seed=1)
    return run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]


def measure(method: str, segments: NDArray[Any]) -> list[dict[str, Any]]:
    """Time the linear reconstruction and the closed loop, cold and warm, of images [k, row, col] in this process."""
    size = segments.shape[1]
    params = ClosedLoop(annulus(4), PIXEL_NM, scan_parallax=False, device="cpu", quality=method)
    plain = Reconstruct(annulus(4), PIXEL_NM, scan_parallax=False, device="cpu")
    small = {"segments": segments[:, :64, :64]}
    for step, each in (("reconstruct-linear", plain), ("reconstruct-closed-loop", params)):
        run_step(step, small, each, SilentContext())  # imports, first calls
    linear, row = timed("reconstruct-linear", {"segments": segments}, plain)
    shared = {"pixels": f"{size} x {size}"}
    rows = [_row(row, linear, row["cpu_s"]) | shared | {"method": "linear", "start": "–"}]
    start: dict[str, NDArray[Any]] = {}
    for name in ("cold", "warm"):
        result, took = timed("reconstruct-closed-loop", {"segments": segments, **start}, params)
        target = _TARGETS_S.get((method, size)) if name == "cold" else None
        rows.append(
            _row(took, result, row["cpu_s"]) | shared | {"method": method, "start": name, "target_cpu_s": target}
        )
        start = {"start": result.arrays["height"]}
    return rows


def timed(step: str, inputs: dict[str, NDArray[Any]], params: Any) -> tuple[StepResult, dict[str, Any]]:
    """Run a step; gives its result, and the CPU time of all threads and the time of the clock in seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = run_step(step, inputs, params, SilentContext())
    return result, {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


def _row(took: dict[str, Any], result: StepResult, linear_cpu_s: float) -> dict[str, Any]:
    inner = result.info.get("inner_steps")
    return {
        **took, "over_linear_cpu": took["cpu_s"] / linear_cpu_s, "peak_rss_mib": peak_rss_mib(), "target_cpu_s": None,
        "outer_steps": None if inner is None else len(inner), "inner_steps": None if inner is None else sum(inner),
        "chi2": result.info.get("chi2", result.info.get("chi2_median")),
    }  # fmt: skip


if __name__ == "__main__":
    task, file, *rest = sys.argv[1:]
    if task == _RENDER:
        np.save(file, images(int(rest[0])))
    else:
        print(json.dumps(measure(task, np.load(file))))
