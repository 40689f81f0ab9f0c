"""Electron scattering and its tables against closed forms, published values and themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclips_app.core.context import SilentContext
from eclips_app.core.emission import materials
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.steps import EmissionTableParams, run_step
from eclips_app.engine.emission import figures, tables
from eclips_app.engine.emission.elastic import BOHR_NM, HARTREE_KEV, LIGHT_SPEED, cross_sections
from eclips_app.engine.emission.knockon import LEAST_KEV, knock_ons, loose_electrons, moller
from eclips_app.engine.emission.materials import element, elements, material, parse_formula
from eclips_app.engine.emission.montecarlo import Exits, run, target
from eclips_app.engine.emission.stopping import REST_KEV, residual_ranges_nm, stopping_kev_per_nm
from eclips_app.engine.emission.tables import EmissionTable


def wave_number(energy_kev: float) -> float:
    """In 1/bohr."""
    energy = energy_kev / HARTREE_KEV
    return float(np.sqrt(energy * (energy + 2 * LIGHT_SPEED**2)) / LIGHT_SPEED)


# Elastic scattering


def test_hydrogen_has_the_born_total_of_the_1s_atom() -> None:
    # Landau and Lifshitz, Quantum Mechanics, section 139: 7 pi / 3 k² in atomic units; relativistically times gamma².
    energy = 20.0
    gamma = 1 + energy / REST_KEV
    expected = 7 * np.pi / 3 / wave_number(energy) ** 2 * gamma**2 * BOHR_NM**2
    assert cross_sections("H", (energy,)).total_nm2[0] == pytest.approx(expected, rel=5e-3)


def test_light_atoms_scatter_widely_as_rutherford_and_mott_say() -> None:
    found = cross_sections("C", (30.0,))
    wide = (found.cosines > -0.6) & (found.cosines < 0.2)
    cosine, gamma, k = found.cosines[wide], 1 + 30.0 / REST_KEV, wave_number(30.0)
    spin = 1 - (1 - 1 / gamma**2) * (1 - cosine) / 2
    rutherford = (6 * gamma / (k**2 * (1 - cosine))) ** 2 * spin * BOHR_NM**2
    np.testing.assert_allclose(found.differential_nm2[0, wide], rutherford, rtol=0.03)


@pytest.mark.parametrize(("symbol", "energy"), [("Al", 2.0), ("Au", 1.0), ("Au", 30.0)])
def test_differential_cross_section_adds_up_to_the_sums_over_phase_shifts(symbol: str, energy: float) -> None:
    found = cross_sections(symbol, (energy,))
    total = 2 * np.pi * np.trapezoid(found.differential_nm2[0], -found.cosines)
    transport = 2 * np.pi * np.trapezoid(found.differential_nm2[0] * (1 - found.cosines), -found.cosines)
    assert total == pytest.approx(found.total_nm2[0], rel=1e-3)
    assert transport == pytest.approx(found.transport_nm2[0], rel=1e-3)


def test_mercury_at_1_kev_has_the_diffraction_minima_of_elsepa() -> None:
    # The test run that comes with ELSEPA 2020 (with exchange, polarisation and absorption): 97.5 and 145.5 degrees.
    found = cross_sections("Hg", (1.0,))
    angle, density = np.rad2deg(np.arccos(found.cosines)), found.differential_nm2[0]
    lowest = angle[1:-1][(density[1:-1] < density[:-2]) & (density[1:-1] < density[2:])]
    np.testing.assert_allclose(lowest[lowest > 80], [97.5, 145.5], atol=2.0)
    assert found.total_nm2[0] / BOHR_NM**2 == pytest.approx(8.837, rel=0.1)


def test_heavy_atoms_scatter_back_more_than_rutherford_says_and_forward_less() -> None:
    # Mott's cross-section of gold at tens of keV is some twice Rutherford's at wide angles (Reimer, SEM, 2nd ed., fig. 3.6).
    found = cross_sections("Au", (30.0,))
    k, gamma = wave_number(30.0), 1 + 30.0 / REST_KEV
    back = np.argmin(np.abs(found.cosines + 0.5))
    rutherford = (79 * gamma / (k**2 * (1 - found.cosines[back]))) ** 2 * BOHR_NM**2
    assert 1.5 < found.differential_nm2[0, back] / rutherford < 2.5


# Energy loss


@pytest.mark.parametrize(
    ("formula", "density", "expected"), [("Al", 2.699, 16.49), ("Cu", 8.96, 13.18), ("H2O", 1.0, 22.56)]
)
def test_stopping_power_at_10_kev_is_that_of_nist_estar(formula: str, density: float, expected: float) -> None:
    found = stopping_kev_per_nm(material(formula, density), np.array([10.0]))[0] * 1e4 / density  # MeV cm²/g
    assert found == pytest.approx(expected, rel=0.02)


def test_range_is_that_of_a_constant_stopping_power() -> None:
    energies = np.geomspace(0.1, 10.0, 500)
    np.testing.assert_allclose(residual_ranges_nm(energies, np.full(500, 0.01)), (energies - 0.1) / 0.01, atol=0.05)


def test_all_electrons_are_loose_at_high_energy_and_copper_holds_its_k_shell_at_3_kev() -> None:
    few, most, all_ = loose_electrons(element("Cu"), np.array([0.01, 3.0, 1000.0]))
    assert few < 11 + 1  # 3d and 4s
    assert 25 < most < 28  # K at 8.98 keV, L at 0.93 to 1.1 keV
    assert all_ == pytest.approx(29, rel=1e-3)


def test_small_transfers_follow_rutherford() -> None:
    gamma = 1 + 10.0 / REST_KEV
    expected = 2 * np.pi * 2.8179403e-6**2 * REST_KEV / (1 - 1 / gamma**2) / 0.05**2
    assert moller(10.0, np.array([0.05]))[0] == pytest.approx(expected, rel=0.01)


def test_knock_ons_take_part_of_the_loss_within_their_limits() -> None:
    copper, energies = material("Cu"), np.array([1.0, 10.0])
    rate, loss, transfers = knock_ons(copper, energies)
    assert (rate > 0).all()
    assert (loss < 0.5 * stopping_kev_per_nm(copper, energies)).all()
    np.testing.assert_allclose(transfers[:, 0], LEAST_KEV, rtol=1e-6)
    np.testing.assert_allclose(transfers[:, -1], energies / 2, rtol=1e-6)
    for row, each, whole in zip(transfers, rate, loss, strict=True):
        drawn = 1 / np.interp((np.arange(20000) + 0.5) / 20000, np.linspace(0, 1, len(row)), 1 / row)
        assert drawn.mean() * each == pytest.approx(whole, rel=0.02)


# Materials


def test_atomic_weights_and_densities() -> None:
    assert len(elements()) == 92
    assert element("Cu").atomic_weight == pytest.approx(63.546, rel=1e-4)
    assert element("U").atomic_weight == pytest.approx(238.03, rel=1e-4)
    assert material("Cu").atoms_per_nm3["Cu"] == pytest.approx(84.9, rel=1e-3)  # fcc, a = 0.36149 nm
    assert material("Cu2O").atoms_per_nm3["Cu"] == pytest.approx(4 / 0.42696**3, rel=0.03)  # cuprite


@given(st.lists(st.tuples(st.sampled_from(sorted(elements())), st.integers(1, 40)), min_size=1, max_size=5))
def test_formula_is_read_as_written(parts: list[tuple[str, int]]) -> None:
    formula = "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in parts)
    expected: dict[str, float] = {}
    for symbol, count in parts:
        expected[symbol] = expected.get(symbol, 0) + count
    assert dict(parse_formula(formula)) == expected
    doubled = {symbol: 2 * count for symbol, count in expected.items()}
    assert dict(parse_formula(f"({formula})2")) == doubled


@given(st.text(alphabet="CuOTi0123456789.() \u00e9-", max_size=12))
def test_any_text_is_a_formula_or_an_error(text: str) -> None:
    try:
        found = parse_formula(text)
    except EclipsError:
        return
    assert found
    assert all(count > 0 for _, count in found)


@pytest.mark.parametrize("text", ["", "Xx", "cu", "2Cu", "Cu2O)", "(Cu2O", "()", "Cu 2", "Cu0", "Cu2.3.4", "()2Cu"])
def test_wrong_formulas_are_refused(text: str) -> None:
    with pytest.raises(EclipsError):
        parse_formula(text)


def test_unknown_density_is_asked_for() -> None:
    with pytest.raises(EclipsError, match="--density"):
        material("CuZn")
    assert material("CuZn", 8.4).density_g_cm3 == 8.4


# Monte Carlo


@pytest.fixture(scope="module")
def copper() -> Exits:
    """Copper at 10 keV, tilted by 60 degrees."""
    return run(target(material("Cu"), 10.0), 60.0, 6000, seed=3)


@pytest.mark.parametrize(
    ("symbol", "energy", "heinrich"),
    [("Cu", 10.0, 0.318), ("Cu", 20.0, 0.309), ("Au", 10.0, 0.483), ("Au", 20.0, 0.506)],
)
def test_backscatter_coefficient_is_heinrichs(symbol: str, energy: float, heinrich: float) -> None:
    found = run(target(material(symbol), energy), 0.0, 8000, seed=1)
    assert found.left / found.histories == pytest.approx(heinrich, rel=0.10)
    assert found.cosine / found.left == pytest.approx(0.69, abs=0.02)  # a little peaked about the normal


def test_sampled_angles_have_the_mean_of_the_cross_section() -> None:
    aim = target(material("Cu"), 20.0)
    energy = float(aim.row_energies_kev[300])
    exact = cross_sections("Cu", (energy,))
    nodes = aim.angles.shape[2] - 1
    draws = np.sqrt(np.sqrt((np.arange(40000) + 0.5) / 40000)) * nodes
    mean = 2 * np.interp(draws, np.arange(nodes + 1), aim.angles[0, 300]).mean()
    assert mean == pytest.approx(exact.transport_nm2[0] / exact.total_nm2[0], rel=0.01)


def test_tilted_surfaces_emit_forward_and_downhill(copper: Exits) -> None:
    assert copper.left / copper.histories == pytest.approx(0.89 * (0.318 / 0.89) ** 0.5, rel=0.06)  # Drescher
    assert copper.shift_nm > 0
    assert copper.zernike[:, 1].sum() > 0.3 * copper.left
    assert copper.quadrants[0] > 2 * copper.quadrants[3]
    forward, backward = copper.directions[9:12, :6].sum(), copper.directions[9:12, 18:].sum()
    assert 2.0 < forward / backward < 3.6


def test_same_seed_same_bits_whatever_the_threads(copper: Exits) -> None:
    aim, threads = target(material("Cu"), 10.0), numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        alone = run(aim, 60.0, 6000, seed=3)
    finally:
        numba.set_num_threads(threads)
    for field in dataclasses.fields(Exits):
        np.testing.assert_array_equal(getattr(alone, field.name), getattr(copper, field.name))
    assert run(aim, 60.0, 6000, seed=4).left != alone.left


def test_no_electron_is_counted_twice_or_lost(copper: Exits) -> None:
    assert copper.counts.sum() == copper.radii.sum() == copper.directions.sum()
    np.testing.assert_array_equal(copper.zernike[:, 0], copper.counts)
    assert copper.quadrants.sum() < copper.counts.sum()


def test_table_stops_when_asked() -> None:
    class Stopping(SilentContext):
        def check(self) -> None:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_step("emission-table", {}, EmissionTableParams("Al", histories=1000), Stopping())


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (EmissionTableParams("Cu", energies_kev=(10.0, 5.0)), "rise"),
        (EmissionTableParams("Cu", tilts_deg=(10.0, 20.0)), "from 0 degrees"),
        (EmissionTableParams("C", energies_kev=(10.0,), tilts_deg=(0.0,), histories=100), "--histories"),
    ],
)
def test_tables_that_cannot_be_made_say_why(params: EmissionTableParams, words: str) -> None:
    with pytest.raises(EclipsError, match=words):
        run_step("emission-table", {}, params, SilentContext())


# Tables


@pytest.fixture(scope="module")
def small() -> EmissionTable:
    """Aluminium at 5 and 10 keV and four tilts."""
    params = EmissionTableParams("Al", energies_kev=(5.0, 10.0), tilts_deg=(0.0, 25.0, 50.0, 70.0), histories=3000)
    result = run_step("emission-table", {}, params, SilentContext())
    return tables.from_arrays(result.arrays, result.info["meta"])


def test_table_comes_back_from_its_file(small: EmissionTable, tmp_path: Path) -> None:
    path = tmp_path / "Al.npz"
    small.write(path)
    again = tables.read_table(str(path))
    assert again.meta == small.meta
    for name, values in small.arrays().items():
        np.testing.assert_allclose(again.arrays()[name], values, rtol=1e-6, atol=1e-7)
    assert [each.name for each in tmp_path.iterdir()] == ["Al.npz"]


@settings(max_examples=30)
@given(st.data())
def test_damaged_files_are_told_of(
    small: EmissionTable, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "Al.npz"
    small.write(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    try:
        message = f"emission table of {tables.read_table(str(path)).name}"  # a byte that means nothing may change
    except EclipsError as error:
        message = str(error)
    assert "emission table" in message


def test_foreign_archives_are_refused(small: EmissionTable, tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, anything=np.zeros(3))
    with pytest.raises(EclipsError, match="eclips-emission/1"):
        tables.read_table(str(path))
    arrays = small.arrays()
    with pytest.raises(EclipsError, match="'shift_nm' is missing"):
        tables.from_arrays({n: v for n, v in arrays.items() if n != "shift_nm"}, {})
    with pytest.raises(EclipsError, match="'yield_' does not fit"):
        tables.from_arrays({**arrays, "yield_": arrays["yield_"][:, :2]}, {})
    with pytest.raises(EclipsError, match="'tilts_deg' does not rise"):
        tables.from_arrays({**arrays, "tilts_deg": arrays["tilts_deg"][::-1]}, {})
    with pytest.raises(EclipsError, match="not above zero"):
        tables.from_arrays({**arrays, "yield_": 0 * arrays["yield_"]}, {})


def test_what_is_not_in_a_table_names_the_way_to_it(small: EmissionTable) -> None:
    with pytest.raises(EclipsError, match="eclips emission"):
        tables.read_table("Unobtainium")
    with pytest.raises(EclipsError, match=r"5 to 10 keV, not to 30 keV.*eclips emission Al"):
        small.at(30.0)
    with pytest.raises(EclipsError, match="threshold"):
        small.at(10.0, threshold_kev=11.0)
    with pytest.raises(EclipsError, match="99 %"):
        small.exit_radius_nm(10.0, 0.999)
    with pytest.raises(EclipsError, match="larger pixels"):
        small.kernel(10.0, 0.1)
    with pytest.raises(EclipsError, match="pixel size"):
        small.kernel(10.0, 0.0)


def test_emission_between_energies_and_above_a_threshold(small: EmissionTable) -> None:
    low, middle, high = (small.at(energy) for energy in (5.0, np.sqrt(50.0), 10.0))
    np.testing.assert_allclose(middle.yield_**2, low.yield_ * high.yield_, rtol=1e-12)
    np.testing.assert_allclose(middle.zernike[:, 0], 1.0)
    assert (small.at(10.0, threshold_kev=5.0).yield_ < high.yield_).all()
    weighted = small.at(10.0, response=lambda energy: energy / 10.0)
    middles, weights = small.spectrum_at(10.0)
    assert weighted.yield_[0] == pytest.approx(high.yield_[0] * (middles @ weights))
    np.testing.assert_allclose(
        high.zernike, high.reduced * np.sin(np.deg2rad(small.tilts_deg))[:, None] ** small.zernike_nm[:, 1]
    )


@pytest.mark.parametrize("spacing", [3.0, 20.0, 1000.0])
def test_kernel_is_a_density_of_the_right_radius(small: EmissionTable, spacing: float) -> None:
    kernel = small.kernel(10.0, spacing)
    assert kernel.sum() == pytest.approx(1.0)
    for turned in (kernel.T, kernel[::-1], kernel[:, ::-1]):
        np.testing.assert_allclose(kernel, turned, atol=1e-15)
    middle = kernel.shape[0] // 2
    row, column = np.indices(kernel.shape) - middle
    inside = np.hypot(row, column) * spacing < small.exit_radius_nm(10.0, 0.495)
    if spacing < 10:
        assert kernel[inside].sum() == pytest.approx(0.5, abs=0.02)
    assert middle == int(np.ceil(small.exit_radius_nm(10.0, 0.99) / spacing - 0.5))


def test_kernel_on_coarse_pixels_is_the_one_on_fine_pixels_summed(small: EmissionTable) -> None:
    coarse, fine = small.kernel(10.0, 60.0), small.kernel(10.0, 60.0 / 9)
    wanted = 9 * len(coarse)
    around = (wanted - len(fine)) // 2
    summed = np.pad(fine, around).reshape(len(coarse), 9, len(coarse), 9).sum(axis=(1, 3))
    np.testing.assert_allclose(coarse, summed, atol=2e-3 * coarse.max())


# The tables that come with the program


def test_shipped_tables_are_complete() -> None:
    assert set(materials()) == {"C", "Al", "Si", "Ti", "Fe", "Cu", "Cu2O", "Ag", "W", "Au"}


@pytest.mark.parametrize("name", materials())
def test_shipped_table_is_physical(name: str) -> None:
    table = tables.read_table(name)
    assert table.energies_kev[0] <= 2.0
    assert table.energies_kev[-1] >= 30.0
    assert table.tilts_deg[-1] == 80.0
    assert (np.diff(table.yield_, axis=1) > 0).all()
    np.testing.assert_allclose(table.spectrum.sum(axis=2), 1.0, rtol=1e-6)
    assert (np.diff(table.radius_nm[:, 0, table.radius_quantiles >= 0.1], axis=0) > 0).all()
    assert figures.slope_gain(table.at(10.0), 20.0) > 0.75  # Lambert: 0.69
    assert figures.mean_cosine(table.at(10.0), 0.0) == pytest.approx(0.69, abs=0.015)


def test_exit_radius_of_copper_is_that_of_other_codes() -> None:
    copper = tables.read_table("Cu")
    # Single scattering with ELSEPA's cross-sections: 26/58 nm at 5 keV, 89/183 at 10, 304/595 at 20; Nebula: 99/222 at 10.
    for energy, median, outer in ((5.0, 26, 58), (10.0, 89, 183), (20.0, 304, 595)):
        assert copper.exit_radius_nm(energy) == pytest.approx(median, rel=0.1)
        assert copper.exit_radius_nm(energy, 0.9) == pytest.approx(outer, rel=0.1)


def test_moments_of_the_table_give_the_slope_gain_that_was_counted() -> None:
    counted = run(target(material("Cu"), 10.0), 45.0, 20000, seed=11)
    a, c = counted.quadrants[0], counted.quadrants[3]
    gain = (a - c) / (a + c)  # tan 45 = 1
    error = np.sqrt(1 - gain**2) / np.sqrt(a + c)
    assert figures.slope_gain(tables.read_table("Cu").at(10.0), 45.0) == pytest.approx(gain, abs=3.5 * error)


def test_lambert_moments_give_lamberts_figures(small: EmissionTable) -> None:
    flat = np.zeros_like(small.zernike)
    flat[..., 0] = 1.0
    at = dataclasses.replace(small, zernike=flat).at(10.0)
    assert figures.mean_cosine(at, 30.0) == pytest.approx(2 / 3, rel=2e-3)
    assert figures.forward_backward(at, 60.0) == pytest.approx(1.0, rel=1e-6)
    assert figures.slope_gain(at, 20.0) == pytest.approx(0.69, abs=0.01)
    assert figures.slope_gain(at, 60.0) == pytest.approx(0.54, abs=0.01)
