"""Fixtures for all tests. Qt draws off screen unless the caller chose otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

#: Real instrument files and reference cases; they are not part of the repository.
SHARED = Path(os.environ.get("ECLIPS_SHARED", Path(__file__).resolve().parents[2] / "shared"))

# A busy machine is no fault of the program: how long an example takes is not looked at.
settings.register_profile("eclips", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("eclips")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests on real files where the files are not present, and say how many."""
    if SHARED.is_dir():
        return
    kept = [item for item in items if "shared_data" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with `data` (real files) and `cases` (images with known truth)."""
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the engine's cache of electron optics out of the user's folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECLIPS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def garbage_collector(qapp: object) -> object:
    """Keep the collecting of cyclic garbage in the window's thread, as the program does."""
    from eclips_app.gui.garbage import GarbageCollector  # late: most tests know no Qt

    return GarbageCollector()


@pytest.fixture(autouse=True)
def widgets_end_in_their_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect after a test that shows windows; in other threads nothing is collected from then on."""
    shows_windows = "qapp" in request.fixturenames
    collector = request.getfixturevalue("garbage_collector") if shows_windows else None
    yield
    if collector is not None:
        collector.look()
