"""Planes of crystals: golden angles, families, step heights, Wulff shapes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.crystal import PRESETS, Crystal, Lattice, SurfaceEnergy, Wulff, hkl_text, parse_hkl
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import dump, load
from eclips_app.core.steps import StepResult, run_step
from eclips_app.core.units import Quantity
from eclips_app.metrology import crystal
from eclips_app.metrology.crystal_poles import in_plane_name, turns_about

CU = PRESETS["Cu"]
#: Different angles between planes of cubic families, in degrees: closed forms, as in textbooks of crystallography.
GOLDEN = {
    ((1, 0, 0), (1, 1, 0)): (45.0, 90.0), ((1, 0, 0), (1, 1, 1)): (54.74,), ((1, 1, 0), (1, 1, 0)): (60.0, 90.0),
    ((1, 1, 0), (1, 1, 1)): (35.26, 90.0), ((1, 1, 1), (1, 1, 1)): (70.53,), ((1, 0, 0), (2, 1, 0)): (26.57, 63.43, 90.0),
    ((1, 0, 0), (2, 1, 1)): (35.26, 65.91), ((1, 0, 0), (3, 1, 0)): (18.43, 71.57, 90.0), ((1, 0, 0), (3, 1, 1)): (25.24, 72.45),
    ((1, 0, 0), (3, 3, 1)): (46.51, 76.74), ((1, 0, 0), (5, 2, 2)): (29.50, 69.63), ((1, 1, 1), (2, 1, 1)): (19.47, 61.87, 90.0),
    ((1, 1, 1), (3, 1, 1)): (29.50, 58.52, 79.98),
}  # fmt: skip


@pytest.mark.parametrize("pair", GOLDEN, ids=str)
def test_cubic_angles(pair: tuple[crystal.Hkl, crystal.Hkl]) -> None:
    for lattice in PRESETS.values():
        assert crystal.angles_between(lattice, *pair) == pytest.approx(GOLDEN[pair], abs=0.006)


@pytest.mark.parametrize(
    ("lattice", "operations", "system"),
    [
        (CU, 48, "cubic"),
        (Lattice.tetragonal("TiO2", 0.4594, 0.2959), 16, "tetragonal"),
        (Lattice.orthorhombic("own", 0.3, 0.4, 0.5), 8, "orthorhombic"),
        (Lattice.hexagonal("Zn", 0.2665, 0.4947), 24, "hexagonal"),
        (Lattice("own", 0.3, 0.4, 0.5, 90.0, 100.0, 90.0), 4, "monoclinic"),
        (Lattice("own", 0.3, 0.4, 0.5, 80.0, 100.0, 95.0), 2, "triclinic"),
        (Lattice("rhombohedral", 0.4, 0.4, 0.4, 70.0, 70.0, 70.0), 12, "triclinic"),
    ],
)
def test_every_lattice_has_its_point_group(lattice: Lattice, operations: int, system: str) -> None:
    found = crystal.symmetries(lattice)
    assert len(found) == operations
    assert lattice.system == system
    metric = crystal.cell(lattice).T @ crystal.cell(lattice)
    for one in found:  # a group of isometries: closed, and the metric stays
        np.testing.assert_allclose(one.T @ metric @ one, metric, atol=1e-9)
        assert any((one @ found[-1] == other).all() for other in found)


def test_a_cell_that_cannot_close_is_refused() -> None:
    with pytest.raises(EclipsError, match="no cell has these three angles"):
        crystal.cell(Lattice("own", 0.3, 0.3, 0.3, 30.0, 40.0, 120.0))


def test_families_of_copper() -> None:
    found = crystal.families(CU, 3)
    assert [each.hkl for each in found[:5]] == [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0), (2, 1, 1)]
    assert {each.hkl: len(each.members) for each in found} | {(1, 0, 0): 6, (1, 1, 1): 8, (3, 2, 1): 48} == {
        each.hkl: len(each.members) for each in found
    }
    assert len(found) == 13
    assert crystal.family(CU, (-1, 3, -3)).hkl == (3, 3, 1)


def test_hexagonal_planes() -> None:
    zinc = Lattice.hexagonal("Zn", 0.2665, 0.4947)
    assert {each.hkl for each in crystal.families(zinc, 1)} == {(0, 0, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)}
    # (10.1) from the base: tan = 2 c / (sqrt(3) a)
    expected = math.degrees(math.atan(2 * 0.4947 / (math.sqrt(3) * 0.2665)))
    assert crystal.angles_between(zinc, (0, 0, 1), (1, 0, 1)) == pytest.approx((expected,), abs=1e-5)
    assert turns_about(zinc, (0, 0, 1)) == 6
    assert in_plane_name(zinc, (0, 0, 1)) == "[100]"


def test_step_heights() -> None:
    planes = ((1, 0, 0), (1, 1, 0), (1, 1, 1))
    assert [crystal.step_nm(CU, hkl) for hkl in planes] == pytest.approx([0.181, 0.128, 0.209], abs=5e-4)
    oxide = [crystal.step_nm(PRESETS["Cu2O"], hkl) for hkl in planes]
    assert oxide == pytest.approx([0.2135, 0.151, 0.2465], abs=5e-4)
    body = Lattice.cubic("Fe", 0.2867, "I")
    assert crystal.step_nm(body, (1, 0, 0)) == pytest.approx(0.14335)
    assert crystal.step_nm(body, (1, 1, 0)) == pytest.approx(0.2867 / math.sqrt(2))


def test_a_step_is_some_number_of_layers_or_none() -> None:
    ranked = crystal.step_candidates(CU, Quantity(0.725, "nm", 0.02), ((1, 0, 0),))
    assert (ranked[0].hkl, ranked[0].layers) == ((1, 0, 0), 4)
    assert ranked[0].k_sigma == pytest.approx((0.725 - 0.723) / 0.02)
    assert sum(each.probability for each in ranked) == pytest.approx(1.0, abs=1e-6)
    between = crystal.step_candidates(CU, Quantity(0.27, "nm", 0.004), ((1, 0, 0),))
    assert max(between, key=lambda each: each.probability).hkl is None
    with pytest.raises(EclipsError, match="no standard deviation"):
        crystal.step_candidates(CU, Quantity(0.27, "nm"), ((1, 0, 0),))


def test_indices_are_read_as_people_write_them() -> None:
    for text, hkl in (
        ("331", (3, 3, 1)), ("{1 -1 0}", (1, -1, 0)), ("1-10", (1, -1, 0)), ("(2,2,2)", (1, 1, 1)), ("1 0 -1 1", (1, 0, 1)),
        ("[10 1 0]", (10, 1, 0)),
    ):  # fmt: skip
        assert parse_hkl(text) == hkl
    for text in ("", "000", "12", "abc", "1 2 3 4", "1.5 0 0"):
        with pytest.raises(EclipsError, match="is no plane"):
            parse_hkl(text)
    assert hkl_text((3, 3, 1)) == "{331}"
    assert hkl_text((1, -1, 0), "()") == "(1 −1 0)"


def test_a_crystal_comes_back_from_json() -> None:
    told = Crystal(PRESETS["Cu2O"], (1, 1, 1), 12.5, energies=(SurfaceEnergy((3, 1, 1), 1.4),))
    assert load(Crystal, dump(told)) == told


# Wulff


def wulff(energies: dict[crystal.Hkl, float], lattice: Lattice = CU) -> StepResult:
    told = tuple(SurfaceEnergy(hkl, energy) for hkl, energy in energies.items())
    return run_step("wulff", {}, Wulff(lattice, told), SilentContext())


def fractions(result: StepResult) -> list[float]:
    return [each["fraction"] for each in result.info["fractions"]]


def test_wulff_shapes_of_known_energies() -> None:
    equal = wulff({(1, 0, 0): 1.0, (1, 1, 0): 1.0, (1, 1, 1): 1.0})
    assert fractions(equal) == pytest.approx([0.28, 0.44, 0.28], abs=0.005)
    other = wulff({(1, 0, 0): 1.0, (1, 1, 0): 1.1, (1, 1, 1): 1.3})
    assert fractions(other) == pytest.approx([0.43, 0.56, 0.01], abs=0.005)


def test_a_cube_is_a_cube_and_its_energies_count_only_as_ratios() -> None:
    cube = wulff({(1, 0, 0): 2.5})
    assert cube.arrays["vertices"].shape == (8, 3)
    assert cube.arrays["counts"].tolist() == [4] * 6
    np.testing.assert_allclose(np.abs(cube.arrays["vertices"]), 1 / math.sqrt(3), atol=1e-6)
    assert cube.info["angles"][0]["angle_deg"] == pytest.approx(90.0)
    far = wulff({(1, 0, 0): 1.0, (1, 1, 1): 5.0})  # too dear to be seen
    assert fractions(far) == pytest.approx([1.0, 0.0])


def test_faces_lie_in_their_planes() -> None:
    shape = wulff({(1, 0, 0): 1.0, (1, 1, 1): 1.0})
    ends = np.cumsum(shape.arrays["counts"])[:-1]
    for corners, normal, hkl in zip(
        np.split(shape.arrays["corners"], ends), shape.arrays["normals"], shape.arrays["hkl"], strict=True
    ):
        across = shape.arrays["vertices"][corners] @ normal
        assert np.ptp(across) < 1e-6
        np.testing.assert_allclose(crystal.plane_normals(CU, tuple(hkl)), normal, atol=1e-9)


def test_a_hexagonal_prism() -> None:
    prism = wulff({(0, 0, 1): 1.0, (1, 0, 0): 1.0}, Lattice.hexagonal("Zn", 0.2665, 0.4947))
    assert fractions(prism) == pytest.approx([1 / 3, 2 / 3])
    assert [round(each["angle_deg"]) for each in prism.info["angles"]] == [60, 90]


def test_energies_that_make_no_body_are_refused() -> None:
    with pytest.raises(EclipsError, match="equivalent"):
        wulff({(1, 0, 0): 1.0, (0, 1, 0): 2.0})
    with pytest.raises(EclipsError, match="no surface energy"):
        wulff({})
    with pytest.raises(EclipsError, match="enclose no body"):
        wulff({(0, 0, 1): 1.0}, Lattice.hexagonal("Zn", 0.2665, 0.4947))
