"""The step "wulff": the equilibrium shape of a crystal from surface energies, by the library wulffpack."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.crystal import Wulff
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.metrology.crystal import cell, checked_energies, family, symmetries
from eclips_app.metrology.facets.sphere import angle_deg

Floats = NDArray[np.floating]

_SAME = 1e-5  #: of the shape's size


def wulff_step(inputs: Arrays, params: Wulff, context: Context) -> StepResult:
    """Run the step; see `core.crystal.Wulff`.

    Raises
    ------
    EclipsError
        If the energies are of equivalent planes, none is given, or the planes enclose no body.
    """
    energies = checked_energies(params.lattice, params.energies)
    directions = np.concatenate([family(params.lattice, hkl).normals for hkl in energies])
    if np.linalg.matrix_rank(directions, tol=1e-6) < 3:  # each with its opposite: no more is needed
        raise EclipsError("these planes enclose no body", hint="Add planes that close it.")
    context.progress(0.1, "Wulff construction")
    shape = _shape(params, energies)
    context.check()
    faces = [(np.asarray(facet.normal, float), facet.ordered_vertices) for form in shape.forms for facet in form.facets]
    names = [tuple(form.parent_miller_indices) for form in shape.forms for _ in form.facets]
    vertices, corners = _shared([np.array(points[:-1], float) for _, points in faces])
    normals = np.stack([normal for normal, _ in faces])
    hkl = _indices(params, normals)
    arrays: dict[str, NDArray[Any]] = {
        "vertices": vertices / np.linalg.norm(vertices, axis=1).max(),
        "corners": np.concatenate(corners),
        "counts": np.array([len(each) for each in corners]),
        "normals": normals,
        "hkl": hkl,
    }
    areas = {tuple(int(i) for i in name): float(part) for name, part in shape.facet_fractions.items()}
    info = {
        "fractions": [{"hkl": list(name), "fraction": areas.get(name, 0.0)} for name in energies],
        "angles": _angles(names, normals, corners),
    }
    context.progress(1.0, "Wulff construction done")
    return StepResult(arrays, info)


def _shape(params: Wulff, energies: dict[tuple[int, int, int], float]) -> Any:
    from ase import Atoms  # late: 2 s
    from wulffpack.core import BaseParticle
    from wulffpack.core.form import setup_forms

    lattice = cell(params.lattice)
    operations = list(symmetries(params.lattice).astype(float))
    # The program's own symmetry operations: the library would find those of its standardised cell, whose axes may be others.
    forms = setup_forms(energies, lattice, operations, operations)
    return BaseParticle(forms=forms, standardized_structure=Atoms("X", cell=lattice.T, pbc=True), natoms=1000)


def _shared(faces: list[Floats]) -> tuple[Floats, list[NDArray[np.intp]]]:
    """Give each vertex once, and the faces' corners as indices into them."""
    points = np.concatenate(faces)
    size = float(np.abs(points).max())
    vertices: list[Floats] = []
    index = []
    for point in points:
        near = [i for i, other in enumerate(vertices) if np.abs(point - other).max() < _SAME * size]
        if not near:
            vertices.append(point)
        index.append(near[0] if near else len(vertices) - 1)
    ends = np.cumsum([len(each) for each in faces])[:-1]
    return np.array(vertices), [np.asarray(part, dtype=np.intp) for part in np.split(np.array(index), ends)]


def _indices(params: Wulff, normals: Floats) -> NDArray[np.int64]:
    """Give the indices of the faces from their normals."""
    members = np.concatenate([family(params.lattice, each.hkl).members for each in params.energies])
    directions = np.concatenate([family(params.lattice, each.hkl).normals for each in params.energies])
    return np.asarray(members[np.argmax(normals @ directions.T, axis=1)])


def _angles(names: list[Any], normals: Floats, corners: list[NDArray[np.intp]]) -> list[dict[str, Any]]:
    """Give the angles between the normals of neighbouring faces, once for each pair of families and angle."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for i in range(len(names)):
        for j in range(i):
            if len(set(corners[i]) & set(corners[j])) < 2:  # they share no edge
                continue
            angle = float(angle_deg(normals[i], normals[j]))
            pair = sorted((names[i], names[j]), reverse=True)
            pair.sort(key=lambda each: sum(index**2 for index in each))
            key = (*pair, round(angle, 3))
            planes = [[int(index) for index in name] for name in pair]
            found[key] = {"planes": planes, "angle_deg": angle, "external_deg": 180.0 - angle}
    return sorted(found.values(), key=lambda each: each["angle_deg"])
