#!/usr/bin/env python3
"""One command sets ECLIPS up and starts it: ``python3 installer/launch.py`` (needs Python 3.11 or newer, nothing else).

python3 installer/launch.py            set up, then open the window on the built-in example
python3 installer/launch.py setup      set up only
python3 installer/launch.py test …     set up and run all checks and tests; what follows goes to pytest

Everything is put into .venv at the root of the repository. Later starts only compare a checksum. Settings by environment:
PIP_FIND_LINKS      folder of wheels, taken before the package index (for uv too)
ECLIPS_TORCH_INDEX  address of another index of torch builds (CPU only, or for another CUDA)
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOCK = ROOT / "installer" / "requirements.lock"
DEV_LOCK = ROOT / "installer" / "requirements-dev.lock"  # holds everything of LOCK too
XCB_TESTS = ROOT / "tests" / "xcb"  # tests that need a real window
SCENARIOS = "tests/scenarios"  # tests that start and end whole programs
EXAMPLE = "vickers"

#: Runs in a sound environment; looked at before every start, so it must be quick …
QUICK_TEST = "import eclips_app, numpy.linalg"
#: … and after installing: a broken package may look installed to pip.
FULL_TEST = "import eclips_app, numpy.linalg, scipy.linalg, h5py, tifffile, torch, shiboken6"

#: Shared libraries that the wheels leave to the system, and the Debian packages that hold them: to draw at all …
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
#: … and to open a window on X11.
WINDOW_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libXcursor.so.1": "libxcursor1",
}
APT_INSTALL = ("apt-get", "install", "-y", "--no-install-recommends")


class LaunchError(Exception):
    """What the user reads when something cannot be done."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; gives the exit status."""
    command, extra = (arguments[0], list(arguments[1:])) if arguments else ("start", [])
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells users of an older Python
        raise LaunchError(f"ECLIPS needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if command not in ("start", "setup", "test") or (extra and command != "test"):
        print(__doc__)
        return 0 if command in ("-h", "--help") else 2
    testing = command == "test"
    install_system_packages(testing)
    ensure_environment(DEV_LOCK if testing else LOCK)
    if testing:
        return run_checks(extra)
    return open_window() if command == "start" else 0


# The system's libraries


def loads(library: str) -> bool:
    """Tell whether the system has a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(testing: bool, has: Callable[[str], bool] = loads) -> list[str]:
    """Give the Debian packages of the libraries (and, for tests, programs) that are not there."""
    wanted = {**LIBRARIES, **WINDOW_LIBRARIES}
    packages = [package for library, package in wanted.items() if not has(library)]
    if testing and shutil.which("xvfb-run") is None:
        packages.append("xvfb")
    if testing and shutil.which("xauth") is None:
        packages.append("xauth")
    return packages


def install_system_packages(testing: bool) -> None:
    """Install missing libraries where we may (root on Debian or Ubuntu), else print the line that does it."""
    packages = missing_packages(testing) if sys.platform == "linux" else []
    if not packages:
        return
    line = [*APT_INSTALL, *packages]
    if shutil.which("apt-get") is None:
        print(f"These libraries of the system are missing (names of Debian packages): {' '.join(packages)}")
    elif os.geteuid() != 0:
        print(f"Libraries of the system are missing; install them with:\n  sudo {' '.join(line)}")
    else:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], environment, check=False)
        _run(line, environment)


# The environment


def fingerprint(lock: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Give the checksum of all that decides what is installed."""
    torch_index = environment.get("ECLIPS_TORCH_INDEX", "")
    parts = (lock.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), sys.version.encode(), torch_index.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_current(lock: Path) -> bool:
    """Tell whether .venv holds what the lock says; the environment for tests serves for the window too."""
    stamped = any(_stamp(lk).is_file() and _stamp(lk).read_text() == fingerprint(lk) for lk in {lock, DEV_LOCK})
    return stamped and _works(QUICK_TEST)


def ensure_environment(lock: Path) -> None:
    """Make or repair .venv so that it holds what the lock says.

    Raises
    ------
    LaunchError
        If it cannot be made, in one sentence.
    """
    if is_current(lock):
        return
    print(f"Setting up {VENV} (this takes some minutes and 2 GB the first time) …", flush=True)
    for stamp in (_stamp(LOCK), _stamp(DEV_LOCK)):
        stamp.unlink(missing_ok=True)
    uv = shutil.which("uv")
    fresh = not _works("import sys" if uv else "import pip")
    try:
        if fresh:
            _make_environment(with_pip=not uv)
        _install(lock, uv)
    except subprocess.CalledProcessError as error:
        if fresh:
            raise LaunchError(f"Setting up failed at: {_line(error.cmd)}") from error
        # What was there may be half made: once more from nothing.
        _make_environment(with_pip=not uv)
        try:
            _install(lock, uv)
        except subprocess.CalledProcessError as again:
            raise LaunchError(f"Setting up failed at: {_line(again.cmd)}") from again
    _stamp(lock).write_text(fingerprint(lock))


def install_commands(lock: Path, uv: str | None, environment: Mapping[str, str] = os.environ) -> list[list[str]]:
    """Give the commands that install the locked packages, then ECLIPS itself from this folder."""
    base = [uv, "pip", "install", "--python", str(PYTHON)] if uv else [str(PYTHON), "-m", "pip", "install", "-q"]
    options: list[str] = []
    if uv:
        for place in environment.get("PIP_FIND_LINKS", "").split():
            options += ["--find-links", place]
    if environment.get("ECLIPS_TORCH_INDEX"):
        options += ["--extra-index-url", environment["ECLIPS_TORCH_INDEX"]]
        if uv:  # else uv looks for every package in the torch index alone
            options += ["--index-strategy", "unsafe-best-match"]
    return [[*base, *options, "-r", str(lock)], [*base, "--no-deps", "--no-build-isolation", "-e", str(ROOT)]]


def _install(lock: Path, uv: str | None) -> None:
    for command in install_commands(lock, uv):
        _run(command)
    if not _works(FULL_TEST):
        raise subprocess.CalledProcessError(1, [str(PYTHON), "-c", FULL_TEST])


def _make_environment(with_pip: bool) -> None:
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    try:
        venv.EnvBuilder(with_pip=with_pip, clear=VENV.exists(), symlinks=os.name != "nt").create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        hint = "On Debian and Ubuntu install the package python3-venv."
        raise LaunchError(f"The Python environment {VENV} cannot be made ({error}). {hint}") from error


def _works(code: str) -> bool:
    """Tell whether the environment's Python runs `code` (from another folder, so that only what is installed counts)."""
    try:
        done = subprocess.run([str(PYTHON), "-c", code], cwd=VENV, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _stamp(lock: Path) -> Path:
    return VENV / f".eclips-{lock.stem}"


# What it is for


def open_window() -> int:
    """Open the window on the built-in example; gives its exit status."""
    if not has_display():
        print(
            "No display was found: start this in a desktop session, or use the command line (.venv/bin/eclips --help)."
        )
        return 1
    return subprocess.call([str(PYTHON), "-m", "eclips_app", "demo", EXAMPLE])


def has_display(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a window can be opened."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(environment.get(name) for name in names)


def run_checks(extra: Sequence[str]) -> int:
    """Run the static checks (not with `extra` arguments), then the tests; gives pytest's exit status, or 1 if a check failed."""
    python = [str(PYTHON), "-m"]
    checks = {
        "ruff check": [*python, "ruff", "check"],
        "ruff format --check": [*python, "ruff", "format", "--check"],
        "mypy": [*python, "mypy"],
        "lint-imports": [str(PYTHON.with_name("lint-imports"))],
    }
    failed = []
    for name, command in ({} if extra else checks).items():
        print(f"== {name}", flush=True)
        if subprocess.call(command, cwd=ROOT):
            failed.append(name)
    if failed:
        print(f"== FAILED: {', '.join(failed)}", flush=True)
    statuses = [subprocess.call(command, cwd=ROOT, env=env) for command, env in pytest_commands(extra)]
    return next((status for status in statuses if status), 1 if failed else 0)


def pytest_commands(
    extra: Sequence[str], environment: Mapping[str, str] = os.environ
) -> list[tuple[list[str], dict[str, str]]]:
    """Give the pytest runs, each with its environment: windows on a virtual screen, whole programs, then everything else.

    Whole programs are started and ended in a process that has not shown hundreds of windows before.
    """
    pytest = [str(PYTHON), "-m", "pytest"]
    # VTK draws without a screen in both: it must not keep a connection to a virtual screen that goes away.
    shared = {**environment, "VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow"}
    on_screen = {**shared, "QT_QPA_PLATFORM": "xcb"}
    off_screen = {k: v for k, v in shared.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    off_screen["QT_QPA_PLATFORM"] = "offscreen"
    xvfb = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24"]
    folder = XCB_TESTS.relative_to(ROOT).as_posix()
    if any(argument.startswith(folder) for argument in extra):
        return [([*xvfb, *pytest, *extra], on_screen)]
    if extra:
        return [([*pytest, f"--ignore={folder}", *extra], off_screen)]
    runs = [
        ([*pytest, SCENARIOS], off_screen),
        ([*pytest, f"--ignore={folder}", f"--ignore={SCENARIOS}"], off_screen),
    ]
    if XCB_TESTS.is_dir() and sys.platform == "linux":
        runs.insert(0, ([*xvfb, *pytest, folder], on_screen))
    return runs


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None, *, check: bool = True) -> None:
    print(f"$ {_line(command)}", flush=True)
    subprocess.run(command, env=environment, check=check)


def _line(command: Sequence[str]) -> str:
    return " ".join(map(str, command))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (LaunchError, subprocess.CalledProcessError, OSError) as problem:
        sys.exit(f"{problem}")
    except KeyboardInterrupt:
        sys.exit(130)
