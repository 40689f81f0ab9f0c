"""VTK reports errors to an output window of its own and goes on; here they become exceptions."""

from __future__ import annotations

from typing import Any

from vtkmodules.util.misc import calldata_type
from vtkmodules.util.vtkConstants import VTK_STRING
from vtkmodules.vtkCommonCore import vtkCommand, vtkOutputWindow

from eclips_app.core.errors import EclipsError

_found: list[str] = []
_watched: list[vtkOutputWindow] = []


def watch() -> None:
    """Begin to collect VTK's errors; calling it again does nothing."""
    window = vtkOutputWindow.GetInstance()
    if window not in _watched:
        window.AddObserver(vtkCommand.ErrorEvent, _note)
        _watched.append(window)


def raise_new() -> None:
    """Raise the first error that VTK reported since the last call.

    Raises
    ------
    EclipsError
        With VTK's own words.
    """
    if _found:
        text = " ".join(_found[0].split())
        _found.clear()
        raise EclipsError(f"the 3D view cannot be drawn ({text})", hint="Help > System shows what it draws with.")


@calldata_type(VTK_STRING)  # type: ignore[untyped-decorator]
def _note(_caller: Any, _event: str, text: str) -> None:
    _found.append(text)
