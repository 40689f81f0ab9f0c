"""Time and memory of the linear reconstruction; each size in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.memory import peak_rss_mib
from eclips_app.cli.tables import Table
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Reconstruct, Simulate, run_step
from eclips_app.model.examples import EXAMPLES

SIZES = (512, 1024, 2048)
LARGE = 8192
_REPEATS = 5


def table(*, large: bool = False) -> Table:
    """Measure; with `large` also 8192 x 8192 pixels."""
    rows = tuple(_in_process(size) for size in (*SIZES, *((LARGE,) if large else ())))
    notes = (
        "CPU time is that of all threads in the step; the process has run it once before. Peak is that of the process.",
    )
    columns = ("pixels", "cpu_s", "wall_s", "peak_rss_mib")
    return Table("Linear reconstruction, four segments, CPU", columns, rows, notes)


def _in_process(size: int) -> tuple[Any, ...]:
    done = subprocess.run([sys.executable, "-m", __name__, str(size)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EclipsError(f"the benchmark of {size} pixels ended with: {last[0]}")
    found = json.loads(done.stdout)
    return f"{size} x {size}", found["cpu_s"], found["wall_s"], found["peak_rss_mib"]


def measure(size: int) -> dict[str, float | None]:
    """Time one reconstruction of `size` x `size` pixels in this process."""
    detector = EXAMPLES["vickers"].detector
    rows, columns = np.mgrid[:256, :256] / 256.0
    wave = 40.0 * np.sin(2 * np.pi * 3 * rows) * np.cos(2 * np.pi * 2 * columns)
    small = run_step("simulate", {"height": wave}, Simulate(detector, 10.0, dose=4000.0), SilentContext())
    tiles = size // 256
    segments = np.tile(small.arrays["segments"], (1, tiles, tiles))
    params = Reconstruct(detector, 10.0, device="cpu")
    run_step(
        "reconstruct-linear", {"segments": segments[:, :512, :512]}, params, SilentContext()
    )  # imports, first calls
    times = [_timed(segments, params) for _ in range(1 if size >= LARGE else _REPEATS)]
    return {
        "cpu_s": min(cpu for cpu, _ in times),
        "wall_s": min(wall for _, wall in times),
        "peak_rss_mib": peak_rss_mib(),
    }


def _timed(segments: NDArray[Any], params: Reconstruct) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    run_step("reconstruct-linear", {"segments": segments}, params, SilentContext())
    return time.process_time() - cpu, time.perf_counter() - wall


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
