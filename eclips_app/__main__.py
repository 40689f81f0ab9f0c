"""The program: the window without arguments or with files, the command line with a command."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from eclips_app.core.threads import let_threads_sleep


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with command line arguments; gives the exit status."""
    multiprocessing.freeze_support()
    let_threads_sleep()
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["--selftest"]:  # of installers: needs the window, so it is no command
        from eclips_app.gui.selftest import main as selftest

        return selftest(Path(arguments[1]) if len(arguments) > 1 else None)
    from eclips_app.cli.main import main as run  # late: child processes of a bundle end above

    return run(arguments, open_window)


def open_window(paths: Sequence[Path] = (), example: str = "") -> int:
    """Open the window with files or a built-in example; gives the exit status.

    Raises
    ------
    EclipsError
        If this computer cannot show it.
    """
    from eclips_app.core.errors import EclipsError

    problem = _window_problem()
    if problem:
        raise EclipsError(problem)
    try:
        from eclips_app.gui.app import main as show
    except ImportError as error:
        if (error.name or "").startswith("eclips_app"):
            raise
        hint = "Run the set-up in installer/ again, or install the library."
        raise EclipsError(f"the window cannot be opened: {error}", hint=hint) from error
    return show(list(paths), example)


def _window_problem() -> str:
    """Say why the window would not work here; empty if nothing is known against it."""
    version = _installed("PySide6_Essentials")
    if version == "6.12.0" and sys.version_info < (3, 12):
        return "PySide6 6.12.0 aborts under Python 3.11. Install PySide6-Essentials 6.11.2 or later 6.11, or use Python 3.12."
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in screens):
        return "there is no screen to open the window on. Use the commands (eclips --help), or set DISPLAY."
    return ""


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # in a bundle
        return ""


if __name__ == "__main__":
    sys.exit(main())
