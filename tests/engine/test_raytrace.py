from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq

from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.forward.model import forward_model
from eclips_app.engine.raytrace import bvh, mesh, tracer
from eclips_app.engine.raytrace.detection import Flight, paths
from eclips_app.engine.raytrace.disc import DiscEmission, from_density
from eclips_app.engine.raytrace.path import advance, blocked
from eclips_app.engine.surfaces import KINDS

Float = NDArray[np.float64]

REST_EV = 510998.95


def annulus(count: int = 4, span: float = 86.0, **geometry: object) -> Detector:
    segments = tuple(Segment(f"S{k}", 360.0 * k / count, span, 1.0, 0.0) for k in range(count))
    return replace(Detector(quadrants=segments), **geometry)


#: One disc that catches all directions but those within 0.03 degrees of the horizon.
EVERYTHING = annulus(1, 360.0, distance_mm=0.1, inner_radius_mm=0.0, outer_radius_mm=200.0)
TWO_RINGS = Detector(
    quadrants=tuple(
        Segment(f"{inner:g}/{k}", 90.0 * k + 20.0, 80.0, 1.0, 0.0, inner, outer)
        for inner, outer in ((1.5, 3.0), (3.2, 7.0))
        for k in range(4)
    ),
    distance_mm=6.0,
)


def square(half_nm: float, z: float = 0.0) -> mesh.Mesh:
    """A level square about the axis, facing up."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half_nm + [0, 0, z]
    return mesh.Mesh(corners.astype(float), np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32))


def disc(radius_nm: float, z: float, corners: int = 400) -> mesh.Mesh:
    """A level disc: a polygon of the same area."""
    turn = 2 * np.pi / corners
    rim = radius_nm * np.sqrt(turn / np.sin(turn))
    angle = turn * np.arange(corners)
    vertices = np.column_stack([rim * np.cos(angle), rim * np.sin(angle), np.full(corners, z)])
    k = np.arange(corners)
    triangles = np.column_stack([np.full(corners, corners), k, (k + 1) % corners])
    return mesh.Mesh(np.vstack([vertices, [[0.0, 0.0, z]]]), triangles.astype(np.int32))


def pooled(
    surface: mesh.Mesh, point: list[float], normal: list[float], detector: Detector, **more: object
) -> tuple[Float, Float]:
    """Signal [k] of one point and its error, from 40 runs that share nothing but the surface."""
    points, normals = np.tile(np.array(point, float), (40, 1)), np.tile(np.array(normal, float), (40, 1))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    signal, error = tracer.trace(surface, points, normals, detector, 2048, **more)  # type: ignore[arg-type]
    return signal.mean(axis=1), np.sqrt((error**2).sum(axis=1)) / 40


def assert_within_errors(found: tuple[Float, Float], expected: Float | float) -> None:
    signal, error = found
    assert error.max() < 2e-3
    assert np.abs((signal - expected) / error).max() < 4


# Landing and sampling


@pytest.mark.parametrize(
    "detector",
    [annulus(), annulus(3, 116.0, center_mm=(0.8, -0.4), tilt_deg=(6.0, -9.0), distance_mm=5.0), TWO_RINGS],
    ids=["level", "offset-tilted", "two-rings"],
)
@pytest.mark.parametrize("slopes", [(0.0, 0.0), (0.15, -0.2)])
def test_a_flat_gives_its_acceptance_vectors(detector: Detector, slopes: tuple[float, float]) -> None:
    normal = [-slopes[0], -slopes[1], 1.0]
    found = pooled(square(100.0, -100.0), [0, 0, 0], normal, detector)
    assert_within_errors(found, vectors(detector) @ normal / np.linalg.norm(normal))


def test_standard_error_is_the_spread_of_the_signals() -> None:
    points = np.zeros((600, 3))
    signal, error = tracer.trace(square(1.0), points, np.tile([0.0, 0.0, 1.0], (600, 1)), annulus(), 128)
    assert signal.std(axis=1) == pytest.approx(np.sqrt((error**2).mean(axis=1)), rel=0.12)
    # Unstratified electrons would spread as a binomial; cells leave the edges of the segments alone.
    assert (error**2).mean() < 0.5 * (signal.mean() * (1 - signal.mean()) / 128)


def test_steep_plane_is_cut_by_its_tangent_and_by_the_specimens_plane() -> None:
    tilt = np.deg2rad(70.0)
    normal = [np.sin(tilt), 0.0, np.cos(tilt)]
    plane = square(1e4)
    plane.vertices[:, 2] = -np.tan(tilt) * plane.vertices[:, 0]
    found = pooled(plane, [0, 0, 0], normal, EVERYTHING)
    assert_within_errors(found, (1 + np.cos(tilt)) / 2)
    # A point whose own slope is hidden (level normal on the same plane) sees the sky above the plane.
    assert_within_errors(pooled(plane, [0, 0, 0], [0, 0, 1], EVERYTHING), (1 + np.cos(tilt)) / 2)


def test_beam_position_moves_the_detector() -> None:
    detector = annulus(center_mm=(0.5, 0.2))
    points, normals = np.zeros((3, 3)), np.tile([0.0, 0.0, 1.0], (3, 1))
    moved = tracer.trace(square(1.0), points, normals, detector, 256, positions_mm=np.full((3, 2), 0.3))
    other = tracer.trace(square(1.0), points, normals, replace(detector, center_mm=(0.2, -0.1)), 256)
    np.testing.assert_array_equal(moved[0], other[0])


# Shadows


def test_wall_takes_its_view_factor() -> None:
    distance, height, far = 300.0, 500.0, 1e7
    wall = mesh.Mesh(
        np.array([[distance, -far, 0], [distance, far, 0], [distance, far, height], [distance, -far, height]]),
        np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
    )
    found = pooled(mesh.join(square(50.0), wall), [0, 0, 0], [0, 0, 1], EVERYTHING)
    assert_within_errors(found, 1 - 0.5 * (1 - distance / np.hypot(distance, height)))


def mushroom(cap_nm: float = 200.0, up_nm: float = 150.0, stem_nm: float = 20.0) -> mesh.Mesh:
    stem = disc(stem_nm, 0.0, 40)
    rim, k = stem.vertices[:-1], np.arange(40)
    vertices = np.vstack([rim, rim + np.array([0.0, 0.0, up_nm])])
    side = np.vstack(
        [np.column_stack([k, (k + 1) % 40, k + 40]), np.column_stack([(k + 1) % 40, (k + 1) % 40 + 40, k + 40])]
    )
    return mesh.join(square(2000.0), mesh.Mesh(vertices, side.astype(np.int32)), disc(cap_nm, up_nm))


def test_mushroom_cap_shades_the_ground_but_lets_light_pass_below() -> None:
    cap, up, aside = 200.0, 150.0, 300.0
    # View factor of a disc from a parallel element beside its axis (Howell, Catalog of radiation configuration factors, B-14).
    z = up**2 + aside**2 + cap**2
    factor = 0.5 * (1 - (z - 2 * cap**2) / np.sqrt(z**2 - 4 * aside**2 * cap**2))
    thin = pooled(mushroom(cap, up, 1e-3), [aside, 0, 0], [0, 0, 1], EVERYTHING)
    assert_within_errors(thin, 1 - factor)
    # From above the same mushroom is a pillar: as a height map it hides more.
    x = np.arange(-800.0, 801.0, 20.0)
    pillar = np.where(np.hypot(x, x[:, None]) <= cap, up, 0.0)
    middle = [800.0 + aside, -800.0, 0.0]
    assert pooled(mesh.from_height(pillar, 20.0), middle, [0, 0, 1], EVERYTHING)[0] < thin[0] - 10 * thin[1]


def test_beam_meets_the_topmost_surface() -> None:
    xy = np.array([[0.0, 0.0], [199.0, 0.0], [0.0, 201.0], [5000.0, 0.0]])
    points, normals, hits = tracer.start_points(mushroom(), xy)
    np.testing.assert_allclose(points[:3], [[0, 0, 150], [199, 0, 150], [0, 201, 0]], atol=1e-9)
    np.testing.assert_allclose(normals[:3], np.tile([0.0, 0.0, 1.0], (3, 1)), atol=1e-12)
    assert hits.tolist() == [True, True, True, False]
    assert np.isnan(points[3]).all()
    with pytest.raises(EclipsError, match="beam misses"):
        tracer.trace(mushroom(), points, normals, annulus())


def test_fast_renderer_agrees_to_the_sampling_error() -> None:
    height = KINDS["particles"]((40, 40), 10.0, 3)
    detector = annulus(distance_mm=3.0, inner_radius_mm=1.0)
    points = np.column_stack([mesh.pixel_positions_nm(height.shape, 10.0), height.ravel()])
    normals = mesh.height_normals(height, 10.0)
    rendered = forward_model(detector, 10.0, azimuths=128).samples(height).numpy().reshape(4, -1)
    assert rendered.std() > 0.02
    for along_columns in (True, False):  # segments reach 43 degrees to both sides: one kind of lines for each
        some = slice(0 if along_columns else 1, 4, 2)
        walls = mesh.fences(height, 10.0, along_columns=along_columns)
        signal, error = tracer.trace(walls, points, normals, replace(detector, quadrants=detector.quadrants[some]), 800)
        difference = signal - rendered[some]
        assert abs(difference.sum() / np.sqrt((error**2).sum())) < 4
        assert (difference**2).sum() / (error**2).sum() == pytest.approx(1.0, abs=0.12)


def test_refined_heights_keep_pixels_and_slopes() -> None:
    height = np.random.default_rng(0).normal(size=(5, 7))
    fine = mesh.refined(height, 4)
    assert fine.shape == (17, 25)
    np.testing.assert_allclose(fine[::4, ::4], height, atol=1e-12)
    inner = mesh.height_normals(fine, 0.25).reshape(17, 25, 3)[4:-4:4, 4:-4:4]
    np.testing.assert_allclose(inner, mesh.height_normals(height, 1.0).reshape(5, 7, 3)[1:-1, 1:-1], atol=1e-12)


def test_mesh_of_heights_faces_up_and_passes_through_the_pixels() -> None:
    height = np.random.default_rng(1).normal(size=(6, 8))
    surface = mesh.from_height(height, 2.0)
    assert len(surface.triangles) == 2 * 5 * 7
    assert (surface.normals()[:, 2] > 0).all()
    points, _, hits = tracer.start_points(
        surface, mesh.pixel_positions_nm(height.shape, 2.0)[:-1] + 1e-9 * np.array([1, -1])
    )
    inside = hits & (points[:, 0] < 14.0) & (points[:, 1] > -10.0)
    np.testing.assert_allclose(points[inside, 2], height.ravel()[:-1][inside], atol=1e-7)


# Emission


def forward(alpha: Float, theta: Float, turn: Float) -> Float:
    mu = np.sin(alpha) * np.sin(theta) * np.cos(turn) + np.cos(alpha) * np.cos(theta)
    downhill = mu * np.cos(alpha) - np.cos(theta)  # sin(alpha) x'
    return np.asarray(mu * (1 + 0.6 * np.sin(alpha) ** 2) * (1 + 0.3 * (2 * mu**2 - 1) + 0.8 * downhill))


@pytest.mark.parametrize(("tilt", "azimuth"), [(0.0, 0.0), (25.0, 40.0), (35.0, 250.0)])
def test_weighted_electrons_give_the_integral_of_any_density(tilt: float, azimuth: float) -> None:
    detector = annulus(3, 100.0, distance_mm=8.0)
    alpha, around = np.deg2rad(tilt), np.deg2rad(azimuth)
    x, w = np.polynomial.legendre.leggauss(40)
    low, high = np.arctan(2.0 / 8.0), np.arctan(9.0 / 8.0)
    theta = (low + high) / 2 + (high - low) / 2 * x[:, None]
    expected = []
    for segment in detector.quadrants:
        f = np.deg2rad(segment.azimuth_deg + 50.0 * x[None, :])
        values = forward(np.full((40, 40), alpha), *np.broadcast_arrays(theta, f - around)) * np.sin(theta)
        expected.append(w @ values @ w * (high - low) / 2 * np.deg2rad(50.0) / np.pi)
    normal = [np.sin(alpha) * np.cos(around), np.sin(alpha) * np.sin(around), np.cos(alpha)]
    found = pooled(square(10.0, -10.0), [0, 0, 0], normal, detector, emission=from_density(forward, 4))
    assert_within_errors(found, np.array(expected))


def test_zernike_coefficients_between_tilts() -> None:
    emission = DiscEmission(
        np.array([0.0, 60.0]), np.array([1.0, 2.0]), np.array([[1.0, 0.0], [1.0, -0.4]]), np.array([[0, 0], [2, 0]])
    )
    normal = [0.0, np.sin(np.pi / 6), np.cos(np.pi / 6)]
    lambert = from_density(lambda a, t, f: np.sin(a) * np.sin(t) * np.cos(f) + np.cos(a) * np.cos(t), 4)
    np.testing.assert_allclose(lambert.coefficients, np.eye(len(lambert.nm))[:1].repeat(90, axis=0), atol=1e-12)
    flat_disc = replace(emission, coefficients=np.array([[1.0, 0.0], [1.0, 0.0]]))
    plain, _ = pooled(square(1.0, -1.0), [0, 0, 0], normal, EVERYTHING)
    assert pooled(square(1.0, -1.0), [0, 0, 0], normal, EVERYTHING, emission=flat_disc)[0] == pytest.approx(1.5 * plain)
    bowl = pooled(
        square(1.0, -1.0),
        [0, 0, 0],
        [0, 0, 1],
        EVERYTHING,
        emission=replace(emission, tilts_deg=np.array([-60.0, 0.0])),
    )
    assert_within_errors(bowl, 2.0)


def test_unknown_polynomial_is_refused() -> None:
    wrong = DiscEmission(np.zeros(1), np.ones(1), np.ones((1, 1)), np.array([[3, 2]]))
    with pytest.raises(EclipsError, match="n = 3, m = 2"):
        pooled(square(1.0), [0, 0, 0], [0, 0, 1], annulus(), emission=wrong)


# Curved flight


def straight(
    detector: Detector, energies: tuple[float, ...] = (1000.0,), response: tuple[float, ...] = (1.0,)
) -> Flight:
    polar = np.deg2rad(np.linspace(0.0, 75.0, 1501))
    heights = detector.distance_mm * np.array([0.5, 1.0, 1.5])
    radii = np.broadcast_to(np.tan(polar)[:, None] * heights, (len(energies), len(polar), 3))
    share = np.arange(1.0, len(energies) + 1)
    return Flight(np.array(energies), share, np.array(response), 0.0, polar, heights, radii)


def test_landing_table_of_straight_flight_is_straight_flight() -> None:
    detector = annulus(3, 116.0, center_mm=(0.8, -0.4), tilt_deg=(6.0, -9.0), distance_mm=5.0, outer_radius_mm=6.0)
    from_table = pooled(square(1.0), [0, 0, 0], [0, 0, 1], detector, flight=straight(detector))
    np.testing.assert_allclose(from_table[0], pooled(square(1.0), [0, 0, 0], [0, 0, 1], detector)[0], atol=1e-4)


def test_electrons_below_the_threshold_do_not_count() -> None:
    found = pooled(
        square(1.0),
        [0, 0, 0],
        [0, 0, 1],
        annulus(),
        flight=straight(annulus(), (500.0, 1500.0, 3000.0), (0.0, 1.0, 0.5)),
    )
    assert_within_errors(found, vectors(annulus())[:, 2] * (2 / 6 + 0.5 * 3 / 6))


def test_energies_of_a_uniform_field_land_where_the_parabola_does() -> None:
    energy, pull, distance = 200.0, 50.0, 5.0  # eV, V/mm, mm

    def radius(polar: float) -> float:
        cosine, curve = np.cos(polar), pull / (4 * energy)  # distance = s cos t + curve s^2, radius = s sin t
        return float((np.sqrt(cosine**2 + 4 * curve * distance) - cosine) / (2 * curve) * np.sin(polar))

    polar = np.linspace(0.0, np.pi / 2, 2001)
    radii = np.array([radius(p) for p in polar])[None, :, None]
    flight = Flight(np.array([energy]), np.ones(1), np.ones(1), pull, polar, np.array([distance]), radii)
    detector = annulus(1, 360.0, distance_mm=distance, inner_radius_mm=1.0, outer_radius_mm=4.0)
    limits = [brentq(lambda p, r=r: radius(p) - r, 0.0, np.pi / 2) for r in (1.0, 4.0)]
    found = pooled(square(1.0), [0, 0, 0], [0, 0, 1], detector, flight=flight)
    assert_within_errors(found, np.sin(limits[1]) ** 2 - np.sin(limits[0]) ** 2)


@pytest.mark.parametrize("pull", [-0.4, 0.3])  # eV/nm
def test_path_in_a_uniform_field_is_the_relativistic_parabola(pull: float) -> None:
    energy, direction = 80.0, np.array([0.6, 0.0, 0.8])
    way = np.linspace(0.5, 300.0, 50)
    aside, up = np.array([advance(direction, energy, pull, w) for w in way]).T
    np.testing.assert_allclose(aside, 0.6 * way, rtol=1e-12)
    np.testing.assert_allclose(up, 0.8 * way + pull * way**2 / (4 * energy), atol=2e-4 * 300 * 0.5)
    # Fast and far: energy gained is force times way, and the momentum aside is kept.
    fast, far = 20e3, 2e6
    (x1, z1), (x2, z2) = (advance(direction, fast, pull, far + d) for d in (-1.0, 1.0))
    momentum = np.sqrt(fast * (fast + 2 * REST_EV))
    rise = 0.6 * momentum * (z2 - z1) / (x2 - x1)
    gained = np.hypot(0.6 * momentum, rise) - 0  # total momentum there
    kinetic = np.sqrt(gained**2 + REST_EV**2) - REST_EV
    assert kinetic == pytest.approx(fast + pull * (z1 + z2) / 2, rel=1e-6)


@pytest.mark.parametrize("pull", [-0.4, 0.3])
def test_curved_path_passes_just_above_a_wall_and_not_below_its_top(pull: float) -> None:
    energy, direction, distance = 80.0, np.array([0.6, 0.0, 0.8]), 100.0
    height = distance * 0.8 / 0.6 + pull * (distance / 0.6) ** 2 / (4 * energy)
    flight = replace(straight(annulus(), (energy,)), field_v_per_mm=pull * 1e6)
    stack = np.empty(bvh.STACK, dtype=np.int32)
    for top, expected in ((0.995 * height, False), (1.005 * height, True)):
        wall = np.array([[distance, -50.0, 0], [distance, 50.0, 0], [distance, 50.0, top], [distance, -50.0, top]])
        surface = mesh.join(square(20.0), mesh.Mesh(wall, np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)))
        tree = bvh.build(surface)
        assert blocked(tree, stack, np.array([0.0, 0.0, 1e-6]), direction, paths(flight, tree), 0) is expected
    # Straight ahead the wall's top would be passed in one case and hit in the other.
    assert (height > distance * 0.8 / 0.6) == (pull > 0)


def test_electrons_that_fall_back_are_lost() -> None:
    tree = bvh.build(mesh.join(square(1e4), square(10.0, 500.0)))
    flight = replace(straight(annulus(), (80.0,)), field_v_per_mm=-0.4e6)
    stack, start = np.empty(bvh.STACK, dtype=np.int32), np.array([50.0, 0.0, 1e-6])
    assert blocked(tree, stack, start, np.array([0.8, 0.0, 0.6]), paths(flight, tree), 0)


# Determinism, progress, hierarchy


def test_result_depends_on_the_seed_and_not_on_threads_or_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    height = KINDS["rough"]((16, 16), 10.0, 3)
    surface, normals = mesh.from_height(height, 10.0), mesh.height_normals(height, 10.0)
    points = np.column_stack([mesh.pixel_positions_nm(height.shape, 10.0), height.ravel()])

    def traced(threads: int, seed: int = 5) -> Float:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            return tracer.trace(surface, points, normals, annulus(), 200, seed)[0]
        finally:
            numba.set_num_threads(before)

    one, all_of_them = traced(1), traced(numba.config.NUMBA_NUM_THREADS)
    np.testing.assert_array_equal(one, all_of_them)
    assert (traced(1, 6) != one).mean() > 0.5
    monkeypatch.setattr(tracer, "_CELLS", 37)
    np.testing.assert_array_equal(traced(1), one)


def test_progress_is_told_and_may_stop_the_work() -> None:
    points, normals = np.zeros((50, 3)), np.tile([0.0, 0.0, 1.0], (50, 1))
    told: list[float] = []
    tracer.trace(square(1.0), points, normals, annulus(), 20, report=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0

    def stop(part: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        tracer.trace(square(1.0), points, normals, annulus(), 20, report=stop)


def brute_force(corners: Float, origin: Float, direction: Float) -> float:
    """Distance to the nearest of some triangles, by planes and edges."""
    a, b, c = np.moveaxis(corners, 1, 0)
    normal = np.cross(b - a, c - a)
    distance = np.einsum("ti,ti->t", normal, a - origin) / (normal @ direction)
    point = origin + distance[:, None] * direction
    inside = distance > 0
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= np.einsum("ti,ti->t", np.cross(q - p, point - p), normal) >= 0
    return float(distance[inside].min(initial=np.inf))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32), st.integers(1, 80), st.floats(-3.0, 0.5), st.sampled_from([1.0, 1e-6, 1e6]))
def test_hierarchy_finds_what_trying_all_triangles_finds(seed: int, count: int, size: float, unit: float) -> None:
    rng = np.random.default_rng(seed)
    corners = unit * (rng.uniform(-1, 1, (count, 1, 3)) + 10.0**size * rng.normal(size=(count, 3, 3)))
    soup = mesh.Mesh(corners.reshape(-1, 3), np.arange(3 * count, dtype=np.int32).reshape(-1, 3))
    tree, origins, directions = bvh.build(soup), unit * rng.uniform(-1.5, 1.5, (30, 3)), rng.normal(size=(30, 3))
    triangle, distance = bvh.first_hits(tree, origins, directions)
    nearest = np.array([brute_force(corners, o, d) for o, d in zip(origins, directions, strict=True)])
    assert ((triangle >= 0) == np.isfinite(nearest)).all()
    np.testing.assert_allclose(distance[triangle >= 0], nearest[triangle >= 0], rtol=1e-6)
    stack = np.empty(bvh.STACK, dtype=np.int32)
    any_hit = [bvh.hit(tree, stack, o, d, np.inf, True)[0] >= 0 for o, d in zip(origins, directions, strict=True)]
    assert any_hit == np.isfinite(nearest).tolist()


def test_nothing_leaks_through_shared_edges_and_corners() -> None:
    rng = np.random.default_rng(2)
    surface = mesh.from_height(rng.normal(size=(30, 30)), 1.0 / 3.0)
    a, b = surface.vertices[surface.triangles[:, 0]], surface.vertices[surface.triangles[:, 1:]]
    targets = np.concatenate(
        [surface.vertices, *(a + part * (b[:, k] - a) for part in (0.25, 0.5, 0.9) for k in (0, 1))]
    )
    # Rays from aside may pass over a crest and reach the ground up to a pixel or so behind it.
    inner = (np.abs(targets[:, :2] - [4.8, -4.8]) < 3.8).all(axis=1)
    for origins in (targets[inner] + np.array([0.0, 0.0, 50.0]), np.tile([3.0, -4.0, 60.0], (inner.sum(), 1))):
        triangle, _ = bvh.first_hits(bvh.build(surface), origins, targets[inner] - origins)
        assert (triangle >= 0).all()


def test_coinciding_and_flat_triangles_do_no_harm() -> None:
    same = np.tile(square(1.0).vertices[:3], (3000, 1))
    point = np.zeros((3000, 3))
    soup = mesh.Mesh(np.vstack([same, point]), np.arange(12000, dtype=np.int32).reshape(-1, 3))
    down = np.array([[0.0, 0.0, -1.0]])
    assert bvh.first_hits(bvh.build(soup), np.array([[0.5, -0.5, 1.0]]), down)[1] == pytest.approx(1.0)
    assert bvh.first_hits(bvh.build(soup), np.array([[0.5, 0.6, 1.0]]), down)[0] == -1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mesh.from_height(np.zeros((1, 5)), 1.0), "span no surface"),
        (lambda: mesh.Mesh(np.zeros((3, 3)), np.zeros((0, 3), np.int32)), "no triangles"),
        (lambda: mesh.Mesh(np.zeros((3, 3)), np.array([[0, 1, 3]], np.int32)), "not there"),
        (lambda: mesh.Mesh(np.full((3, 3), np.nan), np.array([[0, 1, 2]], np.int32)), "not finite"),
        (
            lambda: pooled(square(1.0), [0, 0, 0], [0, 0, 1], annulus(tilt_deg=(60.0, 60.0), center_mm=(-99.0, 0.0))),
            "away",
        ),
    ],
)
def test_what_cannot_be_traced_is_told(make: Callable[[], object], message: str) -> None:
    with pytest.raises(EclipsError, match=message):
        make()
