"""The one place that imports PySide6, so that the binding can be checked and changed here."""

from __future__ import annotations

import sys

import PySide6
from PySide6 import QtCore, QtGui, QtSvg, QtWidgets
from PySide6.QtCore import Qt, Signal, Slot

from eclips_app.core.errors import EclipsError

if PySide6.__version__ == "6.12.0" and sys.version_info < (3, 12):
    # This build drops references to None and True, which are mortal before Python 3.12: the program would abort.
    raise EclipsError("PySide6 6.12.0 does not work with Python 3.11", hint="Install PySide6-Essentials 6.11.3.")

__all__ = ["Qt", "QtCore", "QtGui", "QtSvg", "QtWidgets", "Signal", "Slot"]
