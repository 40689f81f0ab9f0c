"""Height maps to measure: a project's reconstruction or placed map, or a height file, with what the step "measure" needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import Measure, Recipe
from eclips_app.core.schema import tupled
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import ReadHeightMap, StepResult, run_step

if TYPE_CHECKING:
    from eclips_app.model.items import HeightMap

_RUN_ARRAYS = ("height", "mask", "deviations")


@dataclass(frozen=True, eq=False)
class MeasureSource:
    """A height map with its arrays (inputs of the step "measure") and the step's parameters but for recipe and shapes."""

    path: Path
    name: str
    arrays: dict[str, NDArray[Any]]
    params: Measure

    @property
    def pixel_size_nm(self) -> tuple[float, float]:
        """Pixel size (x, y) in nm of what shapes are drawn on: the image, or the file itself, on square pixels."""
        return self.params.pixel_size_nm

    @property
    def placed(self) -> HeightMap:
        """The height map as an item, with its place on what shapes are drawn on; only of one that is placed."""
        from eclips_app.model.items import HeightMap

        assert self.params.placement is not None
        return HeightMap(id="", name=self.name, height=self.arrays["height"], **vars(self.params.placement))

    @property
    def map_pixel_size_nm(self) -> tuple[float, float]:
        """Pixel size (x, y) in nm of the heights themselves."""
        placement = self.params.placement
        return placement.pixel_size_nm if placement is not None else self.params.pixel_size_nm

    def measure(self, recipe: Recipe, shapes: tuple[Shape, ...], context: Context) -> StepResult:
        """Measure; see `core.measuring.Measure`.

        Raises
        ------
        EclipsError
            What the step found wrong.
        """
        return run_step("measure", self.arrays, replace(self.params, recipe=recipe, shapes=shapes), context)


def open_source(
    path: Path, wanted: str, context: Context, *, pixel_size_nm: tuple[float, float] | None = None, unit: str = ""
) -> MeasureSource:
    """Open a height map to measure.

    Parameters
    ----------
    path : Path
        A project (.eclips) or any file that ``read-height-map`` reads.
    wanted : str
        Of a project: name or id of a reconstruction or height map; empty: the reconstruction that it presents.
    pixel_size_nm, unit
        Of a height file that does not say them.

    Raises
    ------
    EclipsError
        If the file cannot be read or does not hold what is wanted.
    """
    found = open_map(path, wanted, context, pixel_size_nm=pixel_size_nm, unit=unit)
    return _run(path, wanted, context) if found is None else found


def open_map(
    path: Path, wanted: str, context: Context, *, pixel_size_nm: tuple[float, float] | None = None, unit: str = ""
) -> MeasureSource | None:
    """Open a height file or a height map of a project, as `open_source`; None where a reconstruction is wanted."""
    if path.suffix.lower() != ".eclips":
        params = ReadHeightMap(str(path), wanted, unit, pixel_size_nm)
        read = run_step("read-height-map", {}, params, context)
        x, y = read.info["pixel_size_nm"]
        alone = _alone(path, read, (float(x), float(y)))
        return MeasureSource(path, read.info["name"], dict(read.arrays), Measure.of_map(Recipe(), (), alone, float(x)))
    from eclips_app.io.project_file import read_state

    state = read_state(path)
    maps = [
        item for item in state["items"] if item["kind"] == "map" and wanted and wanted in (item["id"], item["name"])
    ]
    return _placed(path, state, maps[0], context) if maps else None


def _alone(path: Path, read: StepResult, size_nm: tuple[float, float]) -> HeightMap:
    """Give a height file as the window has it without images: shapes are drawn on square pixels, as wide as its own."""
    from eclips_app.model.items import HeightMap
    from eclips_app.model.placing import frame_shape

    rows, columns = frame_shape(read.arrays["height"].shape, size_nm)
    center = (columns - 1) / 2, (rows - 1) / 2
    return HeightMap("file", read.info["name"], read.arrays["height"], size_nm, str(path), center_px=center)


def _run(path: Path, wanted: str, context: Context) -> MeasureSource:
    from eclips_app.io.project_runs import open_run

    found = open_run(path, wanted, _RUN_ARRAYS, context)
    arrays = dict(found.arrays)
    if "height_std" in arrays:
        arrays["std"] = arrays.pop("height_std")
    return MeasureSource(
        path, found.name, arrays, Measure.of_run(Recipe(), (), found.entry["info"], found.entry["params"])
    )


def _placed(path: Path, state: Mapping[str, Any], entry: dict[str, Any], context: Context) -> MeasureSource:
    """Open a placed map; the image is the set that the project's reconstruction or selection shows, else its only one."""
    from eclips_app.io.project_file import read_arrays
    from eclips_app.model.items import HeightMap

    key = entry["height"]["$array"]
    height = read_arrays(path, [key], context)[key]
    names = HeightMap.__dataclass_fields__
    fields = {name: tupled(value) for name, value in entry.items() if name in names and name not in ("height", "raw")}
    item = HeightMap(**fields, height=height)
    size = _image_pixel_size(state)
    size = item.pixel_size_nm[0] if size is None else size  # images of which nothing is known
    return MeasureSource(path, item.name, {"height": height}, Measure.of_map(Recipe(), (), item, size))


def _image_pixel_size(state: Mapping[str, Any]) -> float | None:
    from eclips_app.io import project_layout as layout

    run = layout.presented(state)[1]
    if run:
        return float(run["params"]["pixel_size_nm"])
    sizes = {item.get("pixel_size_nm") for item in state["items"] if item["kind"] == "set"} - {None}
    if len(sizes) > 1:
        raise EclipsError(
            "the project's images have several pixel sizes", hint="Star the reconstruction that is meant."
        )
    if sizes:
        return float(sizes.pop())
    alone = [item for item in state["items"] if item["kind"] in ("set", "map")]
    return float(alone[0]["pixel_size_nm"][0]) if alone and all(item["kind"] == "map" for item in alone) else None
