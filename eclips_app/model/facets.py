"""Facets of a run or of a height map: what the step is asked, and what is read from its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.crystal import Crystal, FindFacets
from eclips_app.core.deviations import PARTS
from eclips_app.core.steps import StepResult
from eclips_app.metrology.deviations import Deviations
from eclips_app.metrology.facets.found import Found
from eclips_app.model.items import CrystalItem, FacetSet, HeightMap, Run, new_id
from eclips_app.model.project import Project

Inputs = dict[str, NDArray[Any]]


def run_request(
    params: FindFacets, arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any], run_params: Mapping[str, Any]
) -> tuple[FindFacets, Inputs]:
    """Give parameters and inputs of "find-facets" on a reconstruction; `params` says how to look.

    Raises
    ------
    EclipsError
        If the run's facts do not name its deviations.
    """
    deviations = Deviations.of_run(arrays, info, run_params)
    size = float(run_params["pixel_size_nm"])
    inputs = {name: arrays[name] for name in ("height", "mask") if name in arrays}
    if deviations is None:
        # The standard deviation of the linear method holds the noise of single pixels; what of it tilts planes is not known.
        return replace(params, pixel_size_nm=(size, size), not_stated=tuple(PARTS)), inputs
    inputs["deviations"] = arrays["deviations"]
    told = replace(
        params, pixel_size_nm=(size, size), parts=deviations.parts, not_stated=deviations.not_stated,
        length_deviations=tuple(float(each) for each in deviations.lengths),
    )  # fmt: skip
    return told, inputs


def map_request(
    params: FindFacets, height: NDArray[np.floating], pixel_size_nm: tuple[float, float]
) -> tuple[FindFacets, Inputs]:
    """Give parameters and inputs of "find-facets" on a height map from elsewhere, of whose deviations nothing is known."""
    return replace(params, pixel_size_nm=pixel_size_nm, not_stated=tuple(PARTS)), {"height": height}


def request(source: Run | HeightMap, params: FindFacets) -> tuple[FindFacets, Inputs]:
    """Give parameters and inputs of "find-facets" on an item of the project; raises as `run_request`."""
    if isinstance(source, Run):
        return run_request(params, source.arrays, source.info, source.params)
    return map_request(params, source.height, source.pixel_size_nm)


def make_facet_set(
    source: Run | HeightMap, params: FindFacets, result: StepResult, before: FacetSet | None
) -> FacetSet:
    """Make the item; it takes the place of an earlier one of the same source."""
    for array in result.arrays.values():
        array.setflags(write=False)
    dumped = schema.dump(params)
    made = FacetSet(
        before.id if before else new_id(), f"Facets of {source.name}", datetime.now(UTC).isoformat(timespec="seconds"),
        source.id, dumped, dict(result.arrays), dict(result.info),
    )  # fmt: skip
    return replace(made, reference=found_of(made).usual_reference)


def found_of(facet_set: FacetSet) -> Found:
    """Give the facets as readings are taken from them."""
    return Found.of(facet_set.arrays, facet_set.info, facet_set.params)


def facets_on(project: Project, source_id: str) -> FacetSet | None:
    """Give the facets that were found on a run or height map."""
    return next(iter(project.facets_of(source_id)), None)


def crystal_item(project: Project) -> CrystalItem:
    """Give the project's crystal, or one of copper that is not in the project yet."""
    return next(iter(project.of_kind(CrystalItem)), None) or CrystalItem("crystal", Crystal())
