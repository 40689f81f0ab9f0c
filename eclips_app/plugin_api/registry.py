"""Finds plugins: packages in the folders `plugins`, and entry points of installed packages.

A package in a folder says what it provides in ``plugin.toml``, in the words of an entry point::

    [exporters]
    x3p = "x3p_export:X3pExporter"

The key is the suffix without its dot, for ``matchers`` a name; the groups are ``readers``, ``exporters`` and ``matchers`` (as
entry points: ``eclips.readers``, …). Only this is read at first; code is imported when it is needed. A plugin that fails is
listed with its traceback and skipped.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import sys
import tomllib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import platformdirs

from eclips_app.core import paths
from eclips_app.core.errors import EclipsError
from eclips_app.plugin_api.protocols import Exporter, HeightMapReader, MapMatcher, SegmentReader

GROUPS = ("readers", "exporters", "matchers")
ReaderT = TypeVar("ReaderT", SegmentReader, HeightMapReader)


@dataclass(frozen=True)
class PluginEntry:
    """One thing that a plugin says it provides."""

    group: str  #: one of `GROUPS`
    suffix: str  #: with its dot, in lower case; of a matcher its name
    target: str  #: "package.module:object"
    source: str  #: folder, or name and version of the installed package
    folder: Path | None = None


@dataclass(frozen=True)
class FailedPlugin:
    """A plugin that could not be used, and why."""

    source: str
    message: str
    traceback: str


_failed: dict[str, FailedPlugin] = {}


def plugin_folders() -> tuple[Path, ...]:
    """Give the folders that are looked through: the program's own, and the user's."""
    return paths.root() / "plugins", Path(platformdirs.user_data_dir("eclips", appauthor=False)) / "plugins"


@functools.cache
def entries() -> tuple[PluginEntry, ...]:
    """Give everything that plugins say they provide, without importing their code."""
    found: list[PluginEntry] = []
    for folder in plugin_folders():
        for manifest in sorted(folder.glob("*/plugin.toml")):
            found += _guarded(functools.partial(_in_folder, manifest), str(manifest.parent)) or []
    found += _guarded(_installed, "installed packages") or []
    return tuple(found)


def failed() -> tuple[FailedPlugin, ...]:
    """Give the plugins that failed so far, with their tracebacks."""
    return tuple(_failed.values())


def exporter_suffixes() -> dict[str, str]:
    """Give the suffixes that plugins can write, with where the plugin is from; imports no plugin."""
    return {entry.suffix: entry.source for entry in entries() if entry.group == "exporters"}


def exporter_for(suffix: str) -> Exporter | None:
    """Give the plugin that writes files of a suffix; None if there is none that works."""
    for entry in entries():
        if entry.group == "exporters" and entry.suffix == suffix.lower():
            loaded = _load(entry)
            if isinstance(loaded, Exporter):
                return loaded
    return None


def matcher_names() -> tuple[str, ...]:
    """Give the names of all matchers; imports no plugin."""
    return tuple(entry.suffix for entry in entries() if entry.group == "matchers")


def matcher(name: str) -> MapMatcher:
    """Give a matcher by its name.

    Raises
    ------
    EclipsError
        If there is none, or it cannot be loaded.
    """
    for entry in entries():
        if entry.group == "matchers" and entry.suffix == name.lower():
            loaded = _load(entry)
            if isinstance(loaded, MapMatcher):
                return loaded
            why = _failed[entry.source].message if entry.source in _failed else "it has not what a matcher needs"
            raise EclipsError(f"the matcher '{name}' cannot be loaded: {why}", where=entry.source)
    there = ", ".join(matcher_names()) or "none"
    raise EclipsError(f"there is no matcher called '{name}'", hint=f"There are: {there}.")


def segment_reader_for(path: Path) -> SegmentReader | None:
    """Give the plugin that is surest to read segment images from a file; None if none can."""
    return _surest(path, [reader for reader in readers(path) if isinstance(reader, SegmentReader)])


def height_map_reader_for(path: Path) -> HeightMapReader | None:
    """Give the plugin that is surest to read a height map from a file; None if none can."""
    return _surest(path, [reader for reader in readers(path) if isinstance(reader, HeightMapReader)])


def readers(path: Path) -> tuple[SegmentReader | HeightMapReader, ...]:
    """Give all working reader plugins for a file's suffix, in the order in which they were found."""
    loaded = (_load(e) for e in entries() if e.group == "readers" and e.suffix == path.suffix.lower())
    return tuple(reader for reader in loaded if isinstance(reader, (SegmentReader, HeightMapReader)))


def forget() -> None:
    """Look for plugins anew at the next question; what is imported stays so."""
    entries.cache_clear()
    _load.cache_clear()
    _failed.clear()


def _surest(path: Path, candidates: list[ReaderT]) -> ReaderT | None:
    scores = [_guarded(functools.partial(reader.sniff, path), reader.name) or 0.0 for reader in candidates]
    best = max(range(len(scores)), key=scores.__getitem__, default=0)
    return candidates[best] if scores and scores[best] > 0 else None


def _in_folder(manifest: Path) -> list[PluginEntry]:
    with manifest.open("rb") as file:
        content = tomllib.load(file)
    folder = manifest.parent
    return [
        PluginEntry(group, _key(group, name), str(target), str(folder), folder)
        for group in GROUPS
        for name, target in content.get(group, {}).items()
    ]


def _installed() -> list[PluginEntry]:
    found = []
    for group in GROUPS:
        for point in importlib.metadata.entry_points(group=f"eclips.{group}"):
            source = f"{point.dist.name} {point.dist.version}" if point.dist else point.module
            found.append(PluginEntry(group, _key(group, point.name), point.value, source))
    return found


def _key(group: str, name: str) -> str:
    return name.lower() if group == "matchers" else f".{name.lower()}"


@functools.cache
def _load(entry: PluginEntry) -> object | None:
    """Import what an entry names and, if it is a class, make one; None (and a note) if that or its form fails."""
    return _guarded(lambda: _loaded(entry), entry.source)


def _loaded(entry: PluginEntry) -> object:
    module_name, _, name = entry.target.partition(":")
    module = _import_from(entry.folder, module_name) if entry.folder else importlib.import_module(module_name)
    found = getattr(module, name)
    made: object = found() if isinstance(found, type) else found
    by_group: dict[str, tuple[Any, ...]] = {"exporters": (Exporter,), "matchers": (MapMatcher,)}
    kinds = by_group.get(entry.group, (SegmentReader, HeightMapReader))
    if not isinstance(made, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{entry.target} has not all that a plugin_api.protocols.{wanted} needs")
    return made


def _import_from(folder: Path, name: str) -> ModuleType:
    """Import a package from its folder, known as ``eclips_plugin_<package>`` so that it hides no other."""
    package, _, rest = name.partition(".")
    known = f"eclips_plugin_{package}"
    if package != folder.name:
        raise ImportError(f"'{name}' is not in the package '{folder.name}'")
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            known, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"'{folder}' is no package")
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[known]
            raise
    return importlib.import_module(f"{known}.{rest}") if rest else sys.modules[known]


ResultT = TypeVar("ResultT")


def _guarded(action: Callable[[], ResultT], source: str) -> ResultT | None:
    """Call code of a plugin; whatever it raises is noted and costs only this plugin."""
    try:
        return action()
    except Exception as error:  # a plugin may raise anything
        _failed[source] = FailedPlugin(source, f"{type(error).__name__}: {error}", traceback.format_exc())
        return None
