"""Benchmarks of the window. They run in a process of their own, since no command imports Qt.

``python -m eclips_app.gui.bench NAME`` prints figures by name as JSON; a figure's name ends with its unit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import eclips_app
from eclips_app.cli.tables import Table
from eclips_app.core.errors import EclipsError

NAMES = ("stall", "render", "profile", "simulate-panel")
_MODULE = "eclips_app.gui.bench"


def is_there() -> bool:
    """Tell whether this installation has them."""
    folder = Path(eclips_app.__file__).parent / "gui"
    return (folder / "bench.py").exists() or (folder / "bench" / "__main__.py").exists()


def tables(name: str) -> list[dict[str, Any]]:
    """Run one benchmark of the window; raises `EclipsError` with its last words if it fails."""
    environment = dict(os.environ)
    if sys.platform == "linux" and not environment.get("DISPLAY") and not environment.get("WAYLAND_DISPLAY"):
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    done = subprocess.run(
        [sys.executable, "-m", _MODULE, name], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise EclipsError(f"the benchmark '{name}' of the window ended with: {last[0]}")
    figures: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return [
        Table(f"Window: {title}", ("figure", "value"), tuple(found.items())).to_json()
        for title, found in figures.items()
    ]
