from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from eclips_app.core.detector import Beam, Bias, Detector, PolePiece, Segment
from eclips_app.engine.device import one_thread
from eclips_app.engine.optics import checks, flight
from eclips_app.engine.optics.field import Grid
from eclips_app.engine.optics.landing import meet
from eclips_app.engine.optics.trajectories import ELECTRON_REST_KEV, Paths, Potential, energy_drift, fly, momentum

HEIGHT, RADIUS = 8.0, 30.0
REAL = Detector(
    quadrants=tuple(Segment(name, 90.0 * k, 86.0, 1.0, 0.0) for k, name in enumerate("ENWS")),
    beam=Beam(10.0, 2.0),
    pole_piece=PolePiece(9.0, 1.0, 15.0),
)


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    with one_thread():
        yield


def even_field(volts: float) -> Potential:
    """A field of parallel plates: specimen at 0 V, detector at `volts`."""
    unit = np.broadcast_to(np.linspace(0, 1, 33), (1, 40, 33))
    return Potential(Grid(RADIUS, HEIGHT, unit).coefficients(0.0, np.array([volts])), RADIUS, HEIGHT)


def starts(angles_deg: np.ndarray, energies_kev: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    angle, energy = np.meshgrid(np.deg2rad(angles_deg), energies_kev, indexing="ij")
    return torch.from_numpy(angle.ravel()), torch.from_numpy(energy.ravel())


def closed_form(angle: np.ndarray, energy_kev: np.ndarray, volts: float, z: float) -> np.ndarray:
    """Radius where electrons reach z in an even field: the relativistic parabola.

    With gamma = gamma0 + g z and u_r constant, ``r = (u_r / g) [arcosh(gamma / m) - arcosh(gamma0 / m)]``, m^2 = 1 + u_r^2.
    """
    gamma = 1 + energy_kev / ELECTRON_REST_KEV
    across = np.sqrt(gamma**2 - 1) * np.sin(angle)
    gain = volts / HEIGHT / (1e3 * ELECTRON_REST_KEV)
    mass = np.sqrt(1 + across**2)
    return across / gain * (np.arccosh((gamma + gain * z) / mass) - np.arccosh(gamma / mass))


@pytest.mark.parametrize("volts", [200.0, 5000.0, -400.0])
def test_even_field_gives_the_parabola(volts: float) -> None:
    angle, energy = starts(np.array([1.0, 20.0, 45.0, 65.0]), [1.0, 3.0, 10.0, 30.0])
    paths = fly(even_field(volts), angle, energy)
    reaches = energy.numpy() * np.cos(angle.numpy()) ** 2 > -1e-3 * volts
    np.testing.assert_array_equal(paths.reached.numpy(), reaches)
    found = paths.state[-1, 0].numpy()
    expected = closed_form(angle.numpy()[reaches], energy.numpy()[reaches], volts, HEIGHT)
    np.testing.assert_allclose(found[reaches], expected, rtol=1e-8)
    # Slow electrons fly the school parabola: z = r cot t + F r^2 / (4 E sin^2 t).
    slow = (energy.numpy() == 1.0) & reaches
    t, r, force = angle.numpy()[slow], found[slow], volts / HEIGHT
    np.testing.assert_allclose(r / np.tan(t) + force * r**2 / (4e3 * np.sin(t) ** 2), HEIGHT, rtol=3e-3)


def test_turned_back_electrons_return_as_far_as_the_parabola_says() -> None:
    angle, energy = starts(np.array([30.0, 60.0, 80.0]), [0.3])
    paths = fly(even_field(-1000.0), angle, energy)
    assert not paths.reached.any()
    assert bool((paths.state[-1, 1] < 0).all())
    r, z = paths.state[:, 0], paths.state[:, 1]
    step = (z[1:] < 0).to(torch.uint8).argmax(dim=0)
    n = torch.arange(3)
    part = z[step, n] / (z[step, n] - z[step + 1, n])
    landed = (r[step, n] + part * (r[step + 1, n] - r[step, n])).numpy()
    expected = 4 * 300.0 / (1000.0 / HEIGHT) * np.sin(angle.numpy()) * np.cos(angle.numpy())
    np.testing.assert_allclose(landed, expected, rtol=1e-2)


def test_without_field_the_flight_is_straight() -> None:
    angle, energy = starts(np.linspace(0.0, 70.0, 8), [0.5, 20.0])
    paths = fly(even_field(0.0), angle, energy)
    np.testing.assert_allclose(paths.state[-1, 0], HEIGHT * np.tan(angle.numpy()), rtol=1e-12, atol=1e-12)
    for slope in (0.0, 0.15, -0.2):
        for height in (7.5, 8.0, 8.6):
            virtual, by_slope, by_height = meet(paths, height, torch.tensor([slope], dtype=torch.float64))
            np.testing.assert_allclose(virtual[:, 0], angle, atol=1e-12)
            np.testing.assert_allclose(by_slope, 0.0, atol=1e-12)
            np.testing.assert_allclose(by_height, 0.0, atol=1e-12)


@pytest.mark.parametrize("specimen_v", [-500.0, -2000.0, -8000.0, 700.0])
def test_energy_is_conserved_along_every_path(specimen_v: float) -> None:
    detector = replace(REAL, bias=Bias(specimen_v, 150.0), beam=Beam(10.0, 2.0))
    potential = flight.potential(detector)
    angle, energy = starts(np.arange(0.0, 90.0, 3.0), [0.3, 1.0, 4.0, 9.0])
    paths = fly(potential, angle, energy)
    assert float(energy_drift(potential, paths).max()) < 1e-6
    kinetic = (1 + paths.state[-1, 2:].square().sum(dim=0)).sqrt() - 1
    expected = energy + 1e-3 * (150.0 - specimen_v)
    on_face = paths.reached & (paths.state[-1, 0] > 2.5) & (paths.state[-1, 0] < 8.5)
    np.testing.assert_allclose(kinetic[on_face] * ELECTRON_REST_KEV, expected[on_face], rtol=1e-3)


def test_large_plates_give_the_parabola_through_the_solved_field() -> None:
    plate = Detector(
        quadrants=REAL.quadrants, distance_mm=2.0, inner_radius_mm=0.0, outer_radius_mm=12.0,
        beam=Beam(5.0, 2.0), bias=Bias(0.0, 800.0), pole_piece=PolePiece(2.5, 0.0, 16.0, 800.0),
    )  # fmt: skip
    angle, energy = starts(np.array([5.0, 30.0, 50.0]), [1.0, 4.0])
    paths = fly(flight.potential(plate), angle, energy)
    expected = closed_form(angle.numpy(), energy.numpy(), 3200.0, 2.0)  # the field that 3200 V make over HEIGHT
    np.testing.assert_allclose(paths.state[-1, 0], expected, rtol=1e-4)


def test_landing_on_a_tilted_plane_and_its_derivatives() -> None:
    volts, height, slope = 3000.0, 7.6, 0.12
    angle, energy = starts(np.array([10.0, 35.0, 60.0]), [1.5, 6.0])
    paths = fly(even_field(volts), angle, energy)

    def virtual(h: float, a: float) -> np.ndarray:
        return meet(paths, h, torch.tensor([a], dtype=torch.float64))[0][:, 0].numpy()

    z = np.full(angle.numel(), height)
    for _ in range(60):  # where the closed form meets the plane
        z = height - slope * closed_form(angle.numpy(), energy.numpy(), volts, z)
    expected = np.arctan2(closed_form(angle.numpy(), energy.numpy(), volts, z), z)
    np.testing.assert_allclose(virtual(height, slope), expected, rtol=1e-6)
    _, by_slope, by_height = meet(paths, height, torch.tensor([slope], dtype=torch.float64))
    step = 1e-3
    differences = [
        (virtual(height, slope + step) - virtual(height, slope - step)) / (2 * step),
        (virtual(height + step, slope) - virtual(height - step, slope)) / (2 * step),
    ]
    np.testing.assert_allclose(by_slope[:, 0], differences[0], rtol=1e-3)
    np.testing.assert_allclose(by_height[:, 0], differences[1], rtol=1e-3)


def test_electrons_that_miss_the_plane_are_told() -> None:
    angle, energy = starts(np.array([10.0, 80.0]), [0.5])
    paths: Paths = fly(even_field(-450.0), angle, energy)
    virtual = meet(paths, HEIGHT, torch.zeros(1, dtype=torch.float64))[0][:, 0]
    assert virtual.isfinite().tolist() == [True, False]
    lowered = meet(paths, 0.2, torch.zeros(1, dtype=torch.float64))[0][:, 0]
    assert lowered.isfinite().all()  # a plane below the turning point is met on the way up


def test_momentum_of_a_100_kev_electron() -> None:
    speed = momentum(torch.tensor(100.0, dtype=torch.float64))
    assert float(speed / (1 + speed**2) ** 0.5) == pytest.approx(0.548, abs=5e-4)  # v/c


def test_figures_of_the_benchmark_hold() -> None:
    assert checks.parabola_error(2500.0) < 1e-8
    assert checks.charge_convergence(REAL) < 1e-6
    angles = [
        checks.edge_angles_deg(replace(REAL, bias=Bias(volts, 0.0)), 6.0, flight.DRAFT) for volts in (0.001, -2000.0)
    ]
    np.testing.assert_allclose(angles[0], np.rad2deg(np.arctan([2 / 8, 9 / 8])), atol=0.01)
    assert np.all(np.diff(angles, axis=0) > 0.5)  # attracted electrons start flatter and land on the same edge
