"""What the benchmark of the networks measures, on tiny networks and surfaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eclips_app.engine.surrogates import figures
from eclips_app.engine.surrogates.horizon_net import TangentOnly
from eclips_app.engine.surrogates.measure import DARK, compare, measured_model
from eclips_app.engine.surrogates.unet import UNet
from eclips_app.engine.surrogates.vft import Vft, VftSize
from eclips_app.engine.surrogates.vft_weights import Range
from eclips_app.engine.training.labels import horizons, segments, slopes

TINY = VftSize(width=16, depth=2, heads=2, window=4, patch=4, detail=8, azimuths=16)


@pytest.fixture(scope="module")
def net() -> Vft:
    torch.manual_seed(0)
    return Vft(TINY).eval()


@pytest.fixture(scope="module")
def heights() -> list:
    return figures.specimens(2, 40)


def test_errors_are_those_of_the_images(heights):
    """The tangent plane's error is the exact image less the one without any shadow."""
    model, height = measured_model(16), heights[0]
    given = torch.from_numpy(slopes(height))
    tangent = TangentOnly(16)(given[None])[0]
    found = compare(given, tangent, torch.from_numpy(horizons(height, 16)), model)
    exact = segments(model, height)
    no_shadow = torch.einsum("kj,jrc->krc", model.sectors.total, model.expansion.weights(given))
    facing = (tangent < 0.2).all(0).numpy()  # no tangent plane cuts into the acceptance: it begins at 30 degrees
    wanted = np.abs(no_shadow.numpy() / model.flat - exact) / np.maximum(exact, DARK)
    assert facing.sum() > 20
    assert found.relative.numpy()[:, facing] == pytest.approx(wanted[:, facing], abs=2e-3)
    assert (found.angle_deg <= 1e-4).all()


def test_no_horizon_error_means_no_intensity_error(heights):
    exact = torch.from_numpy(horizons(heights[1], 16))
    found = compare(torch.from_numpy(slopes(heights[1])), exact, exact, measured_model(16))
    assert found.relative.max() == 0
    assert found.angle_deg.abs().max() == 0


def test_accuracy_has_rows_for_every_set_and_model(net, heights):
    rows = figures.accuracy(net, Range(0.1, 0.1), {"unseen": heights})
    assert [r["model"] for r in rows] == [
        "vft",
        "chords only",
        "tangent plane only",
        "exact, 16 azimuths instead of 64",
    ]
    assert rows[0]["flagged_percent"] > 1
    assert rows[1]["mean_percent"] < 0.5 * rows[2]["mean_percent"]
    assert 0 < rows[3]["mean_percent"] < rows[2]["mean_percent"] < rows[2]["p99_percent"]


def test_slope_classes_hold_every_pixel_once(net, heights):
    rows = figures.by_slope(net, heights)
    assert sum(row["pixels"] for row in rows) == 2 * 40 * 40
    assert all(row["tangent plane only: rms_deg"] >= 0 for row in rows)


def test_gradients_agree_where_nothing_is_hidden(net):
    row, col = np.mgrid[:32, :32]
    gentle = 0.4 * np.sin(row / 6.0) * np.cos(col / 7.0)
    rows = figures.gradients(net, [gentle])
    tangent = [row for row in rows if row["model"] == "tangent plane only"]
    assert min(row["cosine_least"] for row in tangent) > 0.999
    assert tangent[0]["length_ratio_mean"] == pytest.approx(1.0, abs=1e-2)


def test_times_are_measured(net):
    rows = figures.times(net, (32,), torch.device("cpu"))
    assert [row["model"] for row in rows] == ["exact", "vft"]
    assert all(row["images_and_gradient_wall_s"] > 0 for row in rows)


def test_curves_compare_equal_budgets(monkeypatch):
    monkeypatch.setattr("eclips_app.engine.surrogates.vft_task._JUDGED", 2)
    rows = figures.optimiser_curves(2, 32)
    sizes = [row["parameters"] for row in rows]
    assert len(rows) == 4
    assert max(sizes) < 1.05 * min(sizes)  # the rival has as many
    assert all(0 < row["step_2"] < row["p99_percent"] for row in rows)


@pytest.mark.parametrize("shape", [(33, 47), (4, 4)])
def test_unet_takes_any_size_and_stays_above_the_tangent_plane(shape):
    torch.manual_seed(1)
    net, given = UNet(16, 4), 0.5 * torch.randn(1, 2, *shape)
    found = net(given)
    assert found.shape == (1, 16, *shape)
    assert (found >= net.tangents(given)).all()


def test_stretched_surfaces_have_the_slope(heights):
    down, right = np.gradient(figures.stretched(heights[0], 0.5))
    assert np.sqrt((down**2 + right**2).mean()) == pytest.approx(0.5)
