"""What the methods cost, and whether they agree with themselves: time and memory, each in a process of its own, and cycles."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.bench_known import PIXEL_NM, annulus
from eclips_app.cli.bench_process import run_module
from eclips_app.cli.bench_solver import images, timed
from eclips_app.cli.memory import peak_rss_mib
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.steps import STEPS, run_step

COLUMNS = ("method", "pixels", "cpu_s", "wall_s", "over_linear_cpu", "peak_rss_mib", "chi2")
ROUNDS = 10  #: of the loop, whose time grows with them
#: Step and what its parameters have beside the detector and the pixels.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": ("reconstruct-linear", {}),
    "U-Net": ("reconstruct-learned", {}),
    f"U-Net + loop, exact, {ROUNDS} rounds": ("reconstruct-learned", {"rounds": ROUNDS}),
    f"U-Net + loop, VFT, {ROUNDS} rounds": ("reconstruct-learned", {"rounds": ROUNDS, "renderer": "vft"}),
    "Gauss-Newton": ("reconstruct-closed-loop", {"draws": 2}),
    "U-Net + Gauss-Newton": ("reconstruct-closed-loop", {"draws": 2, "starter": "unet"}),
}
_SIZES, _QUICK = (512, 1024), (96,)
_LARGEST_VFT = 512  #: pixels; beyond, ten rounds take a quarter of an hour
_RENDER = "render"
_SELF = "eclips_app.cli.bench_methods_cost"  #: by name: as a script this module has another


def tables(context: Context, *, quick: bool = False) -> Iterable[Table]:
    """Measure."""
    sizes = _QUICK if quick else _SIZES
    rows: list[tuple[Any, ...]] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "segments.npy")
            run_module(_SELF, _RENDER, path, str(size))
            linear_s = None
            for name in (name for name in WAYS if "VFT" not in name or size <= _LARGEST_VFT):
                context.progress(0.95, f"{name}, {size} pixels")
                row = json.loads(run_module(_SELF, name, path))
                linear_s = linear_s or row["cpu_s"]
                row["over_linear_cpu"] = row["cpu_s"] / linear_s
                rows.append(tuple(row[column] for column in COLUMNS))
    note = "Steps etched at 46 degrees, four segments, CPU. Each in a process of its own that has run a small image before."
    yield Table("Time and memory", COLUMNS, tuple(rows), (note,))


def measure(name: str, segments: Any) -> dict[str, Any]:
    """Time a method on images [k, row, col] in this process."""
    step, given = WAYS[name]
    params = STEPS[step].params(annulus(4), PIXEL_NM, scan_parallax=False, device="cpu", **given)
    run_step(step, {"segments": segments[:, :64, :64]}, params, SilentContext())  # imports, first calls
    result, took = timed(step, {"segments": segments}, params)
    return {
        "method": name, "pixels": "{1} x {2}".format(*segments.shape), **took, "peak_rss_mib": peak_rss_mib(),
        "chi2": result.info.get("chi2", result.info.get("chi2_median")),
    }  # fmt: skip


if __name__ == "__main__":
    task, file, *rest = sys.argv[1:]
    if task == _RENDER:
        np.save(file, images(int(rest[0])))
    else:
        print(json.dumps(measure(task, np.load(file))))
