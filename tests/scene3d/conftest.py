from __future__ import annotations

import pytest

from eclips_app.scene3d import probe


@pytest.fixture(scope="session", autouse=True)
def drawing(tmp_path_factory: pytest.TempPathFactory) -> probe.Drawing:
    """The way to draw on this computer, found in a child process as the program does it."""
    found = probe.drawing(tmp_path_factory.mktemp("probe") / "drawing.json")
    assert found.works, found.description
    probe.use(found)
    return found
