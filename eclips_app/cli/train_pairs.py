"""Projects whose images and registered height maps a network is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.reconstruction import Reconstruct
from eclips_app.core.registration import TipModel
from eclips_app.core.steps import run_step
from eclips_app.model.items import HeightMap, SegmentSet
from eclips_app.model.runs import as_it_was, step_inputs

Arrays = dict[str, NDArray[Any]]


def read_pairs(paths: Sequence[Path], context: Context) -> tuple[tuple[Reconstruct, ...], Arrays]:
    """Read the images of the run that each project presents, and the registered map; gives parameters and inputs of "train".

    Raises
    ------
    EclipsError
        A project without a reconstruction or without a registered map, or whose images were changed since.
    """
    found: list[Reconstruct] = []
    inputs: Arrays = {}
    for number, path in enumerate(paths):
        params, arrays = _pair(path, context)
        found.append(params)
        inputs |= {f"pair/{number}/{name}": array for name, array in arrays.items()}
    return tuple(found), inputs


def _pair(path: Path, context: Context) -> tuple[Reconstruct, Arrays]:
    from eclips_app.io.project_runs import open_items  # late: reads HDF5
    from eclips_app.model.comparing import comparison_request

    run, snapshot = open_items(path, "", context)
    placed = [item for item in snapshot.items if isinstance(item, HeightMap) and item.placement]
    if not placed:
        raise EclipsError(
            "the project holds no registered height map", where=str(path), hint="Make it with eclips compare … --save."
        )
    segment_set = next(item for item in snapshot.items if isinstance(item, SegmentSet) and item.id == run.set_id)
    names = {field.name for field in fields(Reconstruct)}
    params = schema.load(Reconstruct, {name: run.params[name] for name in names if name in run.params}, str(path))
    request, inputs = comparison_request(run, placed[-1], TipModel())
    height = run_step("compare-map", inputs, request, context).arrays["map"]
    return params, {**step_inputs(as_it_was(run, segment_set)), "height": height}
