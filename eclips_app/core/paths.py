"""Where the program's own files are, from source and in a frozen bundle."""

from __future__ import annotations

import sys
from pathlib import Path


def root() -> Path:
    """Give the folder that holds `resources` and `plugins`."""
    bundle = getattr(sys, "_MEIPASS", None)
    return Path(bundle) if bundle else Path(__file__).resolve().parents[2]


def resource(name: str) -> Path:
    """Give the path of something in `resources`."""
    return root() / "resources" / name
