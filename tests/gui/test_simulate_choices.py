"""What the Simulate panel works out without widgets: detectors, surfaces, sliders' tracks, and the picture of a sky."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from instant_engine import sky_arrays
from panel_samples import detector, make_run, make_set

from eclips_app.core.detector import Beam, Bias
from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import Specimen
from eclips_app.gui.flows import simulation
from eclips_app.gui.panels.simulate import presenter
from eclips_app.gui.panels.simulate.sliders import Track
from eclips_app.model.items import HeightMap, SegmentImage
from eclips_app.model.project import Project


def test_an_added_slope_is_a_plane_under_the_surface() -> None:
    sloped = simulation.with_slope(np.zeros((11, 21)), 2.0, (45.0, 0.0))
    assert sloped[0, 20] - sloped[0, 0] == pytest.approx(40.0)
    up = simulation.with_slope(np.zeros((11, 21)), 2.0, (0.0, 45.0))
    assert up[0, 0] - up[10, 0] == pytest.approx(20.0)  # row 0 is the top, y is up
    assert sloped.mean() == pytest.approx(0.0, abs=1e-12)


def test_the_sky_is_painted_where_the_segments_are() -> None:
    arrays = sky_arrays()
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]
    picture = presenter.sky_picture(arrays, colors, None, 180)
    middle, there = 90, 30  # 30 of 90 pixels: a polar angle of 30 degrees
    assert tuple(picture[middle, middle + there]) == (255, 0, 0, 255)  # azimuth 0 is right
    assert tuple(picture[middle - 25, middle])[:3] == (0, 255, 0)  # 90 is up
    assert picture[middle - 25, middle, 3] == 255  # below the horizon of 30 degrees: open
    assert 0 < picture[middle - 38, middle, 3] < 100  # valid, but hidden
    assert picture[middle, middle + 60, 3] == 0  # beyond 45 degrees nothing is caught
    alone = presenter.sky_picture(arrays, colors, 0, 180)
    assert alone[middle - 25, middle, 3] == 0
    assert picture[0, 0, 3] == 0


def test_gaps_are_refused_and_named() -> None:
    height = np.zeros((10, 10))
    height[2, 3] = np.nan
    with pytest.raises(EclipsError, match=r"scan: 1 % of the heights are missing"):
        simulation.terrain_of(HeightMap("m", "scan", height, (1.0, 1.0)))


def test_square_pixels_keep_a_slope() -> None:
    x = np.arange(20) * 5.0
    height, size = simulation.square_pixels(np.broadcast_to(0.3 * x, (12, 20)).copy(), (5.0, 2.0))
    assert size == 2.0
    assert height.shape == (12, 48)
    np.testing.assert_allclose(np.diff(height[3]), 0.3 * 2.0, rtol=1e-9)


def test_the_detector_is_changed_without_the_project() -> None:
    project = Project()
    setup = simulation.Setup(changes=(("bias.specimen_v", -2000.0), ("center_mm.1", 1.5), ("beam.probe_fwhm_nm", 3.0)))
    made = simulation.detector_of(setup, project)
    assert made.bias == Bias(-2000.0, 0.0)
    assert made.center_mm == (0.0, 1.5)
    assert made.beam == Beam(15.0, 3.0)
    for key, value in setup.changes:
        assert simulation.detector_value(made, key) == value
    bare = simulation.detector_of(simulation.Setup(), project)
    assert bare.beam is None  # nothing asks for its energy
    biased = simulation.detector_of(simulation.Setup(changes=(("bias.specimen_v", -2000.0),)), project)
    assert biased.beam == Beam(15.0, 0.0)
    assert setup.with_change("center_mm.1", None).changes == (setup.changes[0], setup.changes[2])


@pytest.mark.parametrize("law", ["even", "log", "square"])
def test_tracks_go_there_and_back(law: str) -> None:
    track = Track(1.0 if law == "log" else 0.0, 40.0, law)
    for place in np.linspace(0, 1, 41):
        assert track.place(track.value(float(place))) == pytest.approx(place, abs=0.01)
    assert track.place(1e9) == 1.0


def test_coarse_noise_is_that_of_all_pixels_together() -> None:
    setup = replace(simulation.Setup(), dose=1000.0)
    fine = simulation.simulate_params(setup, detector(), 2.0)
    coarse = simulation.simulate_params(setup, detector(), 2.0, 4, draft=True)
    assert coarse.dose == 16000.0
    assert fine.dose is not None
    assert coarse.dose * coarse.grey_per_electron == pytest.approx(fine.dose * fine.grey_per_electron)
    assert coarse.pixel_size_nm == 8.0


def test_measured_images_are_taken_where_the_surface_lies() -> None:
    images = tuple(
        SegmentImage(name, np.add.outer(100 * np.arange(60), np.arange(80)) + 10_000 * k)
        for k, name in enumerate("ENWS")
    )
    scan = make_set("scan", images=images, crop=(10, 20, 40, 60), shifts_px=((0.0, 0.0), (2.0, -3.4), (0, 0), (0, 0)))
    run = make_run(scan, "run", np.zeros((30, 40)))
    project = Project()
    project.apply({scan.id: scan, run.id: run})
    terrain = simulation.terrain_of(run)
    found = simulation.measured_images(project, terrain, 4)
    assert found is not None
    assert found.shape == (4, 30, 40)
    assert found[0, 0, 0] == 100 * 10 + 20
    assert found[1, 5, 6] == 10_000 + 100 * (10 + 5 - 2) + (20 + 6 + 3)
    assert simulation.measured_images(project, terrain, 3) is None
    made = simulation.Terrain(Specimen(), "made", np.zeros((30, 40)), 1.0)
    assert simulation.measured_images(project, made, 4) is None


def test_a_difference_knows_no_gain_and_offset() -> None:
    model = np.random.default_rng(1).normal(size=(2, 30, 40))
    difference, part = presenter.compared(model, 500 + 30 * model)
    assert part < 1e-6
    assert np.abs(difference).max() < 1e-4
    noise = np.random.default_rng(2).normal(size=model.shape)
    assert presenter.compared(model, model + noise)[1] == pytest.approx(np.sqrt(0.5), abs=0.05)
