"""The program in a window of the screen's own kind: it draws itself and its 3D view, and ends by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from eclips_app.gui.qt import QtGui
from eclips_app.gui.selftest import count_colors


def test_the_selftest_draws_the_example_and_ends(tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    command = [sys.executable, "-m", "eclips_app", "--selftest", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    image = QtGui.QImage(str(picture))
    middle = image.copy(image.width() // 3, image.height() // 5, image.width() // 2, image.height() // 2)
    assert count_colors(middle) > 100  # the surface, not an empty panel
