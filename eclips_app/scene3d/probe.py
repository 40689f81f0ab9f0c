"""Finds out in a child process how VTK can draw on this computer: a driver that fails may take its process down.

The answer is kept for the user, so that only the first start pays for the test. Nothing here imports VTK in this process.
"""

from __future__ import annotations

import importlib.metadata
import json
import multiprocessing
import os
import platform
import sys
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from platformdirs import user_cache_path

_TIMEOUT_S = 10.0
_WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"


@dataclass(frozen=True)
class Drawing:
    """How VTK draws here. `environment` holds the variables that must be set before its first window."""

    works: bool
    description: str  #: window class and OpenGL renderer, or why nothing can be drawn
    environment: dict[str, str]

    @property
    def is_software(self) -> bool:
        """Whether the processor draws, without a graphics card."""
        return any(name in self.description.lower() for name in ("llvmpipe", "softpipe", "swrast", "osmesa", "swr "))


def drawing(cache: Path | None = None, timeout_s: float = _TIMEOUT_S) -> Drawing:
    """Give the way to draw: the kept answer, or test now, which takes a second or two for each way that is tried.

    Parameters
    ----------
    cache : Path or None
        File of the kept answer; None: the user's cache folder.
    timeout_s : float
        A way that takes longer counts as failed.
    """
    cache = cache or user_cache_path("eclips", appauthor=False) / "drawing.json"
    found = _read(cache)
    if found is None:
        found = try_all(timeout_s)
        if found.works:  # a failure is tested again at the next start: a driver may have been installed
            _write(cache, found)
    return found


def try_all(timeout_s: float) -> Drawing:
    """Try the ways to draw in their order and give the first that works."""
    reasons = []
    for environment in _ways():
        works, text = _try(environment, timeout_s)
        if works:
            return Drawing(True, text, environment)
        reasons.append(text)
    return Drawing(False, "; ".join(dict.fromkeys(reasons)), {})


def use(way: Drawing) -> None:
    """Set the environment of a way that works; call it before anything imports the scene."""
    os.environ.update(way.environment)


def _ways() -> list[dict[str, str]]:
    """Environments to try, best first."""
    if _WINDOW in os.environ or not sys.platform.startswith("linux"):
        return [{}, {_WINDOW: "vtkOSOpenGLRenderWindow"}]
    software = {_WINDOW: "vtkEGLRenderWindow", "LIBGL_ALWAYS_SOFTWARE": "1"}
    # Without an X server VTK would try X first and complain before it turns to EGL.
    first: dict[str, str] = {} if os.environ.get("DISPLAY") else {_WINDOW: "vtkEGLRenderWindow"}
    return [first, software, {_WINDOW: "vtkOSOpenGLRenderWindow"}]


def _try(environment: dict[str, str], timeout_s: float) -> tuple[bool, str]:
    """Draw in a fresh process: whether it worked, and what it drew with or how it failed."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    child = spawn.Process(target=_child, args=(there, environment), daemon=True)
    child.start()
    there.close()
    try:
        if not here.poll(timeout_s):
            return False, f"no picture within {timeout_s:g} s"
        works, text = here.recv()
        return bool(works), str(text)
    except EOFError:
        child.join(timeout_s)
        return False, f"the graphics driver ended the test with code {child.exitcode}"
    finally:
        here.close()
        child.kill()
        child.join()
        child.close()


def _child(answer: Connection, environment: dict[str, str]) -> None:
    """Draw a small slope and look whether it is there."""
    os.environ.update(environment)
    try:
        answer.send(_draw())
    except Exception as error:  # whatever it is, the parent shows it as the reason
        answer.send((False, f"{type(error).__name__}: {error}"))
    answer.close()


def _draw() -> tuple[bool, str]:
    import numpy as np

    from eclips_app.scene3d import arrays
    from eclips_app.scene3d.scene import Scene

    row, col = np.mgrid[0:16, 0:16]
    field = arrays.height_field(2.0 * np.sin(col / 2.0) + 0.5 * row, 1.0)
    scene = Scene(64, 48)
    scene.set_background((0.0, 0.0, 1.0))
    scene.set_field(field)
    scene.surface.add_mesh(arrays.mesh(field, 1))
    scene.surface.show(1)
    scene.surface.set_slopes(arrays.slopes(field))
    scene.look("isometric")
    scene.fit()
    picture = scene.render()[..., :3]
    corner, middle = picture[0, 0], picture[24, 32]
    good = corner.tolist() == [0, 0, 255] and middle[0] > 40 and len(np.unique(picture[..., 0])) > 10
    return good, scene.describe_graphics() if good else "the picture came out wrong"


def _key() -> dict[str, str]:
    """Give what the kept answer depends on."""
    names = (_WINDOW, "DISPLAY", "WAYLAND_DISPLAY", "LIBGL_ALWAYS_SOFTWARE", "SESSIONNAME")
    known = {name: os.environ.get(name, "") for name in names}
    return {"vtk": importlib.metadata.version("vtk"), "system": platform.platform(), **known}


def _read(cache: Path) -> Drawing | None:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        return Drawing(**content["drawing"]) if content["key"] == _key() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no answer kept, or one of another version


def _write(cache: Path, found: Drawing) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_suffix(".part")
        part.write_text(json.dumps({"key": _key(), "drawing": asdict(found)}), encoding="utf-8")
        part.replace(cache)
    except OSError:
        return  # a cache that cannot be written costs a test at the next start
