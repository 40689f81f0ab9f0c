"""Time from the start of a process to its end: of commands that do almost nothing, and of the window until it is painted."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

from eclips_app.cli.tables import Table
from eclips_app.core.errors import EclipsError

_CASES = {
    "python -c pass": ["-c", "pass"],
    "eclips --help": ["-m", "eclips_app", "--help"],
    "eclips info --help": ["-m", "eclips_app", "info", "--help"],
    "eclips reconstruct --help": ["-m", "eclips_app", "reconstruct", "--help"],
}
#: Shows the window with fresh settings and ends at the first turn of the event loop after it was painted.
_WINDOW = """
import os
from eclips_app.gui.app import make_application, make_window
from eclips_app.gui.qt import QtCore
from eclips_app.gui.session import Session
app = make_application()
window = make_window(Session())
window.show()
QtCore.QTimer.singleShot(0, lambda: os._exit(0))
app.exec()
"""


def table(repeats: int = 5) -> Table:
    """Measure; the smallest of some repeats."""
    rows = [(name, *_fastest(arguments, repeats)) for name, arguments in _CASES.items()]
    with tempfile.TemporaryDirectory() as home:
        rows.append(("window, painted", *_fastest(["-c", _WINDOW], repeats, _fresh(home))))
    return Table("Start", ("what", "cpu_s", "wall_s"), tuple(rows), (f"smallest of {repeats}",))


def _fresh(home: str) -> dict[str, str]:
    """Give an environment with settings of its own, and a screen in memory where there is none."""
    names = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "APPDATA", "LOCALAPPDATA")
    environment = {**os.environ, **dict.fromkeys(names, home)}
    if sys.platform == "linux" and not environment.get("DISPLAY") and not environment.get("WAYLAND_DISPLAY"):
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    return environment


def _fastest(arguments: list[str], repeats: int, environment: dict[str, str] | None = None) -> tuple[float, float]:
    found = [_once(arguments, environment) for _ in range(repeats)]
    return min(cpu for cpu, _ in found), min(wall for _, wall in found)


def _once(arguments: list[str], environment: dict[str, str] | None) -> tuple[float, float]:
    before, start = os.times(), time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise EclipsError(f"the start that was measured ended with: {last[0]}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - start
