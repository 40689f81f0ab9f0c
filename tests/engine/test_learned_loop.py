"""The self-supervised loop: heights that Torch differentiates, weights fitted to images of a surface with shadows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.steps import Learned
from eclips_app.engine.forward.model import forward_model, slopes
from eclips_app.engine.integrators.least_squares import integrate, surface
from eclips_app.engine.learned import features, height, network
from eclips_app.engine.learned.loop import Refined, refine
from eclips_app.engine.learned.network import NormalsNet, Widths, corrections
from eclips_app.engine.refine.brightness import Material
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.solver import Data

FOUR = Detector(
    distance_mm=6.0, inner_radius_mm=1.6, outer_radius_mm=11.0, beam=Beam(10.0, 0.0),
    quadrants=tuple(Segment(n, 90.0 * i, 86.0, 1.0, 0.0) for i, n in enumerate("ENWS")),
)  # fmt: skip
SIZE, DOSE = 48, 20000.0


def trench() -> np.ndarray:
    """A trench 10 px wide and 8 px deep, walls of 60 degrees, turned by 20, on samples of a quarter pixel, in pixels."""
    place = (np.arange(4 * SIZE) + 0.5) / 4 - SIZE / 2
    across = np.abs(place[None, :] * np.cos(0.35) + place[:, None] * np.sin(0.35))
    return -np.clip(8.0 - (across - 5.0) * np.tan(np.deg2rad(60.0)), 0.0, 8.0)


@pytest.fixture(scope="module")
def scene() -> dict[str, Any]:
    """Images of the trench with their field, planes, and true mean slopes."""
    fine = torch.from_numpy(trench())
    images = forward_model(FOUR, 1.0, azimuths=32, subpixels=4).images(fine)
    signal = torch.from_numpy(np.random.default_rng(3).poisson(DOSE * images.numpy()).astype(np.float32))
    one = torch.ones((4, 1, 1))
    params = Learned(FOUR, 1.0, rounds=40, subpixels=2, device="cpu")
    field = Field(Data(signal, one, 0.0 * one), Material(), 1.0, None, params)
    seen = features.seen(FOUR, 1.0, DOSE**-0.5)
    planes = features.planes(signal, np.ones(signal.shape, bool), seen, DOSE)
    true = torch.nn.functional.avg_pool2d(slopes(fine) * 4, 4).float()
    return {"field": field, "planes": planes, "true": true, "params": params}


def net() -> NormalsNet:
    """A network that has learnt nothing: it says what the linear solution says."""
    torch.manual_seed(0)
    return NormalsNet(Widths((16, 24, 32)))


def found(scene: dict[str, Any], context: Any = None, **others: Any) -> Refined:
    params = replace(scene["params"], **others)
    return refine(net(), scene["planes"], scene["field"], DOSE, params, context or SilentContext())


def error_deg(slopes: torch.Tensor, true: torch.Tensor) -> float:
    one, other = (torch.cat([-s, torch.ones_like(s[:1])]) for s in (slopes, true))
    cosine = (one * other).sum(0) / one.norm(dim=0) / other.norm(dim=0)
    return float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean())


def test_height_is_that_of_the_integrator_and_its_gradient_that_of_differences() -> None:
    rng = np.random.default_rng(1)
    given = torch.from_numpy(rng.standard_normal((2, 9, 12))).requires_grad_()
    made = surface(given)
    with torch.no_grad():
        torch.testing.assert_close(made, integrate(given[0], given[1])[0])
    assert torch.autograd.gradcheck(surface, (given,))


def test_slopes_of_a_surface_have_no_curl_and_others_have() -> None:
    x, y = torch.meshgrid(torch.arange(16.0), torch.arange(12.0), indexing="xy")
    bowl = 0.02 * (x - 6.0) ** 2 - 0.03 * (y - 5.0) ** 2
    right, up = 0.04 * (x - 6.0), 0.06 * (y - 5.0)
    of_surface = height.curl(bowl, torch.stack([right, up]))
    turning = torch.stack([-(y - 5.0), -(x - 6.0)])
    of_turning = height.curl(surface(turning), turning)
    assert max(float(each.abs().max()) for each in of_surface) < 1e-5
    assert max(float(each.abs().max()) for each in of_turning) > 0.5


def test_gradients_in_tiles_are_those_of_the_whole(scene: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for tile in (512, 32):
        monkeypatch.setattr(network, "TILE_PX", tile)
        one = net()
        torch.manual_seed(1)
        torch.nn.init.normal_(one.head.weight, std=0.1)
        corrections(one, scene["planes"]).square().sum().backward()
        found.append(one.stem.weight.grad)
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-2)


def test_the_loop_explains_shadows_that_the_linear_solution_does_not(scene: dict[str, Any]) -> None:
    made = found(scene)
    start = error_deg(features.to_slopes(scene["planes"][:2]), scene["true"])
    assert made.chi2[0] > 10  # shadows
    assert min(made.chi2) < 0.5 * made.chi2[0]
    assert error_deg(made.slopes, scene["true"]) < 0.85 * start
    assert len(made.chi2) == made.rounds + 1
    assert not made.stopped
    assert made.finetune is None
    relative = (made.images - scene["field"].data.signal).abs().median() / DOSE
    assert relative < 5 * DOSE**-0.5
    assert abs(float(made.height_nm.mean())) < 1e-3
    assert abs(float(made.log_rho.median())) < 0.2  # one material, brightness 1


class _Stop(SilentContext):
    """Cancels in the fourth round; keeps what was shown."""

    def __init__(self) -> None:
        self.rounds, self.shown = 0, {}

    def progress(self, fraction: float, text: str = "") -> None:
        self.rounds += 1

    def check(self) -> None:
        if self.rounds > 3:
            raise Cancelled

    def preview(self, name: str, array: Any, **info: float) -> None:
        self.shown[name] = array.shape


def test_told_to_stop_it_keeps_the_best_so_far(scene: dict[str, Any]) -> None:
    context = _Stop()
    made = found(scene, context)
    assert made.stopped
    assert "user" in made.stopping
    assert made.rounds == 3
    assert context.shown == {"height": (SIZE, SIZE), "chi2": (1, 2), "residual": (4, SIZE, SIZE)}
    again = found(scene, rounds=0)
    torch.testing.assert_close(again.slopes, net().estimate(scene["planes"][None]).slopes[0].detach())


def test_equal_seeds_give_equal_bits_and_the_given_network_is_left_alone(scene: dict[str, Any]) -> None:
    given = net()
    before = given.head.weight.clone()
    a, b = (refine(given, scene["planes"], scene["field"], DOSE, replace(scene["params"], rounds=3), SilentContext())
            for _ in range(2))  # fmt: skip
    assert torch.equal(a.height_nm, b.height_nm)
    assert torch.equal(given.head.weight, before)


def test_networks_render_in_the_loop_and_a_dsm_of_another_detector_is_refused(scene: dict[str, Any]) -> None:
    made = found(scene, renderer="vft", rounds=2, subpixels=1)
    assert made.images.shape == (4, SIZE, SIZE)
    assert np.isfinite(made.chi2).all()
    with pytest.raises(EclipsError, match="distilled for another detector"):
        found(scene, renderer="dsm", rounds=1)
    with pytest.raises(EclipsError, match="no forward model 'mc'"):
        found(scene, renderer="mc", rounds=1)


def test_finetune_within_the_loop_tells_what_it_did(scene: dict[str, Any]) -> None:
    made = found(scene, finetune=True, rounds=21, subpixels=1)
    assert made.finetune is not None
    assert 0 < made.finetune["largest"] <= made.finetune["limit"] == pytest.approx(0.1)
    assert made.finetune["chi2_without"] > 0
    assert made.finetune["weights"] == ""
