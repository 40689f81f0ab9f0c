"""Safety copies: offered after a crash, never while their window runs, gone after a clean end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eclips_app.io import autosave

CRASH = """
import os, sys
from eclips_app.io import autosave
autosave.own_path().write_bytes(b"work")
print(autosave.own_path(), flush=True)
sys.stdin.readline()
os._exit(1)
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("platformdirs.user_state_dir", lambda *_, **__: str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield
    autosave.discard_own()


def test_own_copy_is_not_offered_and_goes_with_a_clean_end() -> None:
    path = autosave.own_path()
    path.write_bytes(b"work")
    assert autosave.own_path() == path
    assert autosave.recoverable() == []
    autosave.discard_own()
    assert not list(autosave.folder().iterdir())
    autosave.discard_own()  # a second time changes nothing


def test_copy_of_a_crashed_process_is_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_state_dir", lambda *_, **__: str(tmp_path / "eclips"))
    with subprocess.Popen(
        [sys.executable, "-c", CRASH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        path = Path(other.stdout.readline().strip())
        assert path.parent == autosave.folder()
        assert autosave.recoverable() == []  # it runs
        other.communicate("go\n")
    assert other.returncode == 1
    assert autosave.recoverable() == [path]
    autosave.discard(path)
    assert autosave.recoverable() == []
    assert not list(autosave.folder().iterdir())


def test_half_written_copies_are_not_offered() -> None:
    (autosave.folder() / ".1-a.0.part.eclips").write_bytes(b"half")
    (autosave.folder() / "1-a.eclips").write_bytes(b"whole")
    assert [path.name for path in autosave.recoverable()] == ["1-a.eclips"]
