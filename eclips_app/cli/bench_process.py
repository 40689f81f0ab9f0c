"""Benchmarks that measure in a process of their own."""

from __future__ import annotations

import subprocess
import sys

from eclips_app.core.errors import EclipsError


def run_module(module: str, *arguments: str) -> str:
    """Run a module of the program as a script; gives what it printed.

    Raises
    ------
    EclipsError
        If it failed; says its last line.
    """
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EclipsError(f"the benchmark {module.rpartition('.')[2]} ended with: {last[0]}")
    return done.stdout
