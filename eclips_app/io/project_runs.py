"""One reconstruction of a project file, without reading the rest of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.io import project_layout as layout
from eclips_app.io.project_file import read_arrays, read_project, read_state
from eclips_app.model.items import Run
from eclips_app.model.snapshot import Snapshot, from_state


@dataclass(frozen=True)
class OpenRun:
    """A reconstruction as it is in a file, with the arrays that were asked for."""

    name: str
    set_name: str
    entry: dict[str, Any]  #: the run in the JSON of `model.snapshot`
    arrays: dict[str, NDArray[Any]]

    @property
    def pixel_size_nm(self) -> float:
        """Pixel size in nm."""
        return float(self.entry["params"]["pixel_size_nm"])

    @property
    def origin_px(self) -> tuple[int, int]:
        """Row and column of the first pixel in the uncropped image."""
        crop = self.entry["params"]["crop"]
        return int(crop[0]), int(crop[1])

    @property
    def area_text(self) -> str:
        """The columns and rows of the uncropped image that the map covers, in words."""
        (row, column), (rows, columns) = self.origin_px, self.arrays["height"].shape
        return f"{column},{row} to {column + columns - 1},{row + rows - 1}"

    @property
    def provenance(self) -> dict[str, Any]:
        """What made the run, as the attributes in the file say it."""
        return layout.provenance(self.entry)


def open_run(path: Path, wanted: str, names: Sequence[str], context: Context) -> OpenRun:
    """Read a reconstruction by its name or id, or the one that the project presents.

    Parameters
    ----------
    names : sequence of str
        The arrays to read; those that the run does not have are left out.

    Raises
    ------
    EclipsError
        If the file cannot be read or holds no such reconstruction.
    """
    state = read_state(path)
    entry = _find(state, wanted, path)
    keys = {name: entry["arrays"][name]["$array"] for name in names if name in entry["arrays"]}
    if "height" in names and "height" not in keys:
        raise EclipsError(f"the reconstruction '{entry['name']}' holds no height", where=str(path))
    read = read_arrays(path, list(keys.values()), context)
    sets = {item["id"]: item["name"] for item in state["items"] if item["kind"] == "set"}
    return OpenRun(entry["name"], sets.get(entry["set_id"], ""), entry, {name: read[key] for name, key in keys.items()})


def open_items(path: Path, wanted: str, context: Context) -> tuple[Run, Snapshot]:
    """Read a whole project; gives a reconstruction by its name or id, or the one that the project presents, and everything.

    Raises
    ------
    EclipsError
        If the file cannot be read or holds no such reconstruction.
    """
    state, arrays = read_project(path, context)
    run_id = _find(state, wanted, path)["id"]
    snapshot = from_state(state, arrays)
    run = next(item for item in snapshot.items if item.id == run_id)
    assert isinstance(run, Run)
    return run, snapshot


def _find(state: dict[str, Any], wanted: str, path: Path) -> dict[str, Any]:
    runs = [item for item in state["items"] if item["kind"] == "run"]
    if not runs:
        raise EclipsError("the project holds no reconstruction", where=str(path), hint="Reconstruct it first.")
    if not wanted:
        return layout.presented(state)[1] or runs[-1]
    found = [run for run in runs if wanted in (run["id"], run["name"])]
    if len(found) != 1:
        names = ", ".join(f"{run['name']} ({run['id']})" for run in runs)
        what = "no reconstruction" if not found else "more than one reconstruction"
        raise EclipsError(f"{what} is called '{wanted}'", where=str(path), hint=f"There are: {names}.")
    entry: dict[str, Any] = found[0]
    return entry
