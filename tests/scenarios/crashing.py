"""A window with unsaved work and its safety copy; it waits to be killed. ``python crashing.py FOLDER_OF_THE_SCAN``."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from eclips_app.commands.edits import set_pixel_size
from eclips_app.gui.app import make_application, make_window
from eclips_app.gui.bench import wait_until
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings


def main(scan: Path) -> None:
    """Open, reconstruct, keep a copy, say the hash of the heights, and wait."""
    app = make_application()
    session = Session(Settings(Path(tempfile.mkdtemp()) / "settings.ini"))
    window = make_window(session)
    window.show()
    session.files.open_files([scan / "detector.json", *(scan / f"{name}.tif" for name in "ENWS")])
    wait_until(lambda: not session.tasks.running)
    assert session.project.segment_set is not None
    session.do(set_pixel_size(session.project, session.project.segment_set, 5.0, "typed"))
    session.actions.action("reconstruct.run").trigger()
    wait_until(lambda: not session.tasks.running)
    assert session.project.run is not None
    session.saving.autosave()
    wait_until(lambda: not session.tasks.running)
    print(hashlib.sha256(session.project.run.arrays["height"].tobytes()).hexdigest(), flush=True)
    app.exec()


if __name__ == "__main__":  # the engine's processes import this module too
    main(Path(sys.argv[1]))
