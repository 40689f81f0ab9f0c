"""Rows of the results table: what the step "measure" is asked for one, and whether its values still hold."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import KINDS, Kind, Measure, Placement, Recipe, check_recipe
from eclips_app.core.shapes import Shape
from eclips_app.model.items import HeightMap, Measurement, ProfileLine, Run, SegmentSet
from eclips_app.model.placing import frame_map
from eclips_app.model.project import Project

AREAS = ("circle", "rectangle", "polygon")  #: shapes that kinds of area are measured inside
_PRINTED = 4096  #: heights, evenly spread, that tell one map from another

Request = tuple[Measure, dict[str, NDArray[Any]]]


def recipe_of(row: Measurement) -> Recipe:
    """Give the recipe of a row that has one."""
    return schema.load(Recipe, row.recipe, row.name)


def source_of(project: Project, row: Measurement) -> Run | HeightMap | None:
    """Give what a row is measured on; None where it is gone."""
    return project.get(Run, row.run_id) or project.get(HeightMap, row.run_id)


def shapes_of(project: Project, row: Measurement) -> tuple[ProfileLine, ...]:
    """Give the shapes of a row that are there, in order."""
    ids = [row.line_id, *row.more_line_ids] if row.line_id else []
    found = (project.get(ProfileLine, each) for each in ids)
    return tuple(line for line in found if line is not None)


def source_text(project: Project, source: Run | HeightMap) -> str:
    """Say what is measured on: the set and its run, or the map."""
    if isinstance(source, HeightMap):
        return source.name
    segment_set = project.get(SegmentSet, source.set_id)
    return f"{segment_set.name}, {source.name}" if segment_set is not None else source.name


def image_pixel_size_nm(project: Project) -> float | None:
    """Give the pixel size of what shapes are drawn on: the selected run, else the set, else the first height map."""
    if project.run is not None:
        return project.run.pixel_size_nm
    if project.segment_set is not None:
        return project.segment_set.pixel_size_nm
    alone = frame_map(project)
    return alone.pixel_size_nm[0] if alone is not None else None


def measured_print(project: Project, row: Measurement) -> str:
    """Give a print of all that a row's values follow from; another print says that they hold no more."""
    source = source_of(project, row)
    facts: dict[str, Any] = {
        "recipe": row.recipe,
        "shapes": [schema.dump(line.shape) for line in shapes_of(project, row)],
        "source": row.run_id,
    }
    if isinstance(source, HeightMap):
        facts |= {"placement": schema.dump(Placement.of(source)), "image": image_pixel_size_nm(project)}
    height = None if source is None else _height(source)
    text = json.dumps(facts, sort_keys=True, default=str).encode()
    return hashlib.sha1(text + _print_of(height), usedforsecurity=False).hexdigest()[:16]


def request(project: Project, row: Measurement) -> Request:
    """Give the parameters and inputs of the step "measure" for a row.

    Raises
    ------
    EclipsError
        Saying what is missing, in words for the row.
    """
    recipe, source, lines = recipe_of(row), source_of(project, row), shapes_of(project, row)
    if source is None:
        raise EclipsError("what it was measured on is not in the project any more")
    if len(lines) < (1 + len(row.more_line_ids) if row.line_id else 0):
        raise EclipsError("the shape it was measured along is not in the project any more")
    shapes = tuple(line.shape for line in lines)
    check_recipe(recipe, len(shapes))
    height = _height(source)
    if height is None:
        raise EclipsError("this run has no heights")
    if isinstance(source, HeightMap):
        size = image_pixel_size_nm(project)
        if size is None:
            raise EclipsError("the pixel size of the images is not known", hint="Enter it in the Images panel.")
        return Measure.of_map(recipe, shapes, source, size), {"height": height}
    names = {"height": "height", "mask": "mask", "std": "height_std", "deviations": "deviations"}
    inputs = {name: source.arrays[key] for name, key in names.items() if key in source.arrays}
    return Measure.of_run(recipe, shapes, source.info, source.params), inputs


def fitting_recipe(kind: Kind, shapes: tuple[Shape, ...], stretches_nm: tuple[tuple[float, float], ...]) -> Recipe:
    """Give a recipe of a kind with as many of the marked stretches, from the first, as it can use.

    Raises
    ------
    EclipsError
        If it needs other shapes or more stretches; says which.
    """
    problem: EclipsError | None = None
    for count in range(min(kind.stretches[1], len(stretches_nm)), -1, -1):
        recipe = Recipe(kind.key, stretches_nm[:count])
        try:
            check_recipe(recipe, len(shapes))
        except EclipsError as error:
            problem = problem or error
        else:
            return recipe
    assert problem is not None
    raise problem


def kinds_by_group() -> dict[str, list[Kind]]:
    """Give all kinds under the titles of their groups."""
    groups: dict[str, list[Kind]] = {}
    for kind in KINDS.values():
        groups.setdefault(kind.group, []).append(kind)
    return groups


def _height(source: Run | HeightMap) -> NDArray[Any] | None:
    return source.height if isinstance(source, HeightMap) else source.arrays.get("height")


def _print_of(height: NDArray[Any] | None) -> bytes:
    if height is None:
        return b""
    flat = height.reshape(-1)
    return np.ascontiguousarray(flat[:: max(1, flat.size // _PRINTED)]).tobytes() + str(height.shape).encode()
