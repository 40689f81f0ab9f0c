"""Levelled height maps as document items: a reconstruction becomes a run beside the old one, a map keeps its raw heights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.levelling import Level
from eclips_app.core.steps import StepResult
from eclips_app.model.items import HeightMap, Run, new_id

#: Key in a run's `info`: the recipe (see `core.levelling`) that made its heights from those of its method.
LEVELLING = "levelling"
#: Arrays of a run that change when it is levelled, and the mask, which says what counts.
_INPUTS = ("height", "height_std", "deviations", "normals", "mask")


def is_levelled(run: Run) -> bool:
    """Whether a run's heights were levelled after its method had found them."""
    return LEVELLING in run.info


def level_inputs(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Give the inputs of the step ``level`` from the arrays of a run."""
    return {name: arrays[name] for name in _INPUTS if name in arrays}


def levelled_run(run: Run, params: Level, result: StepResult, duration_s: float = 0.0) -> Run:
    """Make the item of a levelled reconstruction.

    It keeps method, parameters and all maps of the run that it comes from, which tell how the heights were found; heights,
    normals and what is known of the uncertainty are those after levelling. ``info["levelling"]`` is the recipe from the
    heights of the method on, ``info["levelled_from"]`` the run (`id`, `name`), ``info["levelling_took"]`` what each step
    of the last recipe took out, in words.
    """
    for array in result.arrays.values():
        array.setflags(write=False)
    info = {
        **run.info,
        LEVELLING: [*run.info.get(LEVELLING, ()), schema.dump(params)],
        "levelled_from": {"id": run.id, "name": run.name},
        "levelling_took": list(result.info["steps"]),
    }
    name = run.name if is_levelled(run) else f"{run.name}, levelled"
    return replace(
        run, id=new_id(), name=name, arrays={**run.arrays, **result.arrays}, info=info, duration_s=duration_s, starred=False,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def levelled_fields(placed: HeightMap, params: Level, result: StepResult) -> dict[str, Any]:
    """Give the fields of a height map that change when it is levelled; its raw heights are kept."""
    height = result.arrays["height"]
    height.setflags(write=False)
    return {
        "height": height,
        "raw": placed.height if placed.raw is None else placed.raw,
        "levelling": (*placed.levelling, schema.dump(params)),
    }


def raw_fields(placed: HeightMap) -> dict[str, Any]:
    """Give the fields of a height map that go back to its raw heights."""
    assert placed.raw is not None
    return {"height": placed.raw, "raw": None, "levelling": ()}
