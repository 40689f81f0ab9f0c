from __future__ import annotations

import numpy as np
import pytest

from eclips_app.core.errors import EclipsError
from eclips_app.engine.optics.field import Annulus, solve, tabulate

FAR = 1e6  #: mm above the specimen plane, where an electrode is as good as alone
ELECTRODES = (Annulus(8.0, 2.0, 9.0), Annulus(9.0, 1.0, 15.0), Annulus(100.0, 0.0, 200.0))


def test_disc_has_its_capacitance() -> None:
    # C = 8 eps0 a, which is 2 a / pi where a point charge has the potential q / d.
    assert solve((Annulus(FAR, 0.0, 3.0),), 40).charge.sum() == pytest.approx(6 / np.pi, rel=1e-5)


def test_potential_around_a_disc_is_the_closed_form() -> None:
    # Oblate spheroidal coordinates (Jackson, 3.3): U = (2/pi) arcsin(2 a / (s+ + s-)).
    r, dz = np.array([0.0, 1.0, 3.2, 5.0, 0.5]), np.array([1.0, -0.7, 0.4, 3.0, 6.0])
    found = solve((Annulus(FAR, 0.0, 3.0),), 60, (4,)).potential(r, FAR + dz)[0]
    near, far = np.hypot(r - 3.0, dz), np.hypot(r + 3.0, dz)
    np.testing.assert_allclose(found, 2 / np.pi * np.arcsin(6.0 / (near + far)), rtol=3e-6)


def test_field_between_plates_is_even() -> None:
    r, z = np.meshgrid([0.0, 2.0, 5.0], np.linspace(0.0, 2.9, 6))
    found = solve((Annulus(3.0, 0.0, 60.0),), finer=(10,)).potential(r.ravel(), z.ravel())[0]
    np.testing.assert_allclose(found, z.ravel() / 3.0, atol=3e-5)


@pytest.mark.parametrize("number", range(3))
def test_each_electrode_has_its_own_potential(number: int) -> None:
    charges = solve(ELECTRODES, finer=(16, 16, 16))
    one = ELECTRODES[number]
    radius = np.linspace(one.bore, one.outer, 9)[1:-1]
    found = charges.potential(radius, np.full(7, one.height + 0.05 * one.height / 8))
    expected = (np.arange(3) == number)[:, None]
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=0.1)
    np.testing.assert_allclose(charges.potential(radius, np.zeros(7)), 0.0, atol=1e-14)  # the specimen's plane


def test_solution_converges_fast() -> None:
    r, z = np.array([0.0, 1.0, 3.0, 5.0]), np.array([2.0, 6.0, 5.0, 7.0])
    coarse, fine, finest = (solve(ELECTRODES, count).potential(r, z) for count in (16, 32, 64))
    assert np.abs(fine - finest).max() < 1e-6
    assert np.abs(fine - finest).max() < 0.05 * np.abs(coarse - finest).max()


def test_table_meets_the_solution_between_its_nodes() -> None:
    grid = tabulate(ELECTRODES, 12.0, 8.0)
    volts = np.array([0.0, 300.0, 0.0])
    table = grid.coefficients(-1000.0, volts)
    rng = np.random.default_rng(3)
    r, z = rng.uniform(0, 11, 200), rng.uniform(0, 7.7, 200)
    cells = np.array([12.0 / table.shape[0], 8.0 / table.shape[1]])
    i, j = (r / cells[0]).astype(int), (z / cells[1]).astype(int)
    powers = np.arange(3, -1, -1)
    found = np.einsum(
        "nab,na,nb->n", table[i, j], (r - i * cells[0])[:, None] ** powers, (z - j * cells[1])[:, None] ** powers
    )
    exact = -1000.0 + (volts + 1000.0) @ solve(ELECTRODES, finer=(8, 2, 1)).potential(r, z)
    np.testing.assert_allclose(found, exact, atol=0.02)  # V of 1000


def test_equal_potentials_make_no_field() -> None:
    table = tabulate(ELECTRODES, 12.0, 8.0, cells=16).coefficients(-700.0, np.full(3, -700.0))
    assert np.abs(table[..., :3, :3]).max() == 0.0
    np.testing.assert_array_equal(table[..., 3, 3], -700.0)


def test_electrodes_that_touch_are_an_error() -> None:
    with pytest.raises(EclipsError, match="touch"):
        solve((Annulus(8.0, 2.0, 9.0), Annulus(8.0, 1.0, 15.0)))
