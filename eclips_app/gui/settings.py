"""What the program remembers between sessions: layout, theme, recent projects, folders."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from eclips_app.gui.qt import QtCore

_RECENT = 12


def config_folder() -> Path:
    """Give the folder of the user's settings; it is made when they are first written."""
    return Path(platformdirs.user_config_dir("eclips", appauthor=False))


class Settings:
    """Typed access to the settings file; a damaged file never blocks the start."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_folder() / "settings.ini"
        self._store = QtCore.QSettings(str(self.path), QtCore.QSettings.Format.IniFormat)

    def text(self, key: str, default: str = "") -> str:
        """Give a text."""
        return str(self._store.value(key, default))

    def set_text(self, key: str, value: str) -> None:
        """Remember a text."""
        self._store.setValue(key, value)

    def blob(self, key: str) -> QtCore.QByteArray:
        """Give bytes; empty if there are none."""
        value = self._store.value(key)
        return value if isinstance(value, QtCore.QByteArray) else QtCore.QByteArray()

    def set_blob(self, key: str, value: QtCore.QByteArray) -> None:
        """Remember bytes."""
        self._store.setValue(key, value)

    def recent_projects(self) -> list[Path]:
        """Give the projects used last, newest first; those that are gone are left out."""
        value = self._store.value("recent") or []
        names = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []
        return [path for path in map(Path, names) if path.is_file()]

    def add_recent(self, path: Path) -> None:
        """Put a project at the head of the recent ones."""
        path = path.resolve()
        others = [other for other in self.recent_projects() if other != path]
        self._store.setValue("recent", [str(p) for p in [path, *others][:_RECENT]])

    def folder(self, purpose: str) -> str:
        """Give the folder used last for a purpose ("images", "projects", …)."""
        return self.text(f"folder/{purpose}", str(Path.home()))

    def set_folder(self, purpose: str, path: Path) -> None:
        """Remember the folder of a file that was opened or written."""
        self.set_text(f"folder/{purpose}", str(path if path.is_dir() else path.parent))

    def sync(self) -> None:
        """Write everything to disk."""
        self._store.sync()
