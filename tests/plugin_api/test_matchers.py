"""Matchers: found by name, loaded from a local folder alone, and asked for by the registration."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.registration import RegisterMap
from eclips_app.core.steps import run_step
from eclips_app.plugin_api import registry
from eclips_app.plugin_api.protocols import MapMatcher

SILENT = SilentContext()

# Torch asks for Triton when transformers is loaded. Triton and what VTK draws with bring an LLVM each: Triton must come first,
# or the process ends. The program itself has them in processes of their own.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A tiny model with random weights, as `transformers` saves it."""
    import torch
    from transformers import LightGlueConfig, LightGlueForKeypointMatching, SuperPointConfig

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    detector = SuperPointConfig(
        encoder_hidden_sizes=[8, 8, 16, 16], decoder_hidden_size=16, descriptor_decoder_dim=32, keypoint_threshold=0.0,
        max_keypoints=64,
    )  # fmt: skip
    config = LightGlueConfig(
        keypoint_detector_config=detector, descriptor_dim=32, num_hidden_layers=2, num_attention_heads=2,
        filter_threshold=0.0, depth_confidence=-1.0, width_confidence=-1.0,
    )  # fmt: skip
    LightGlueForKeypointMatching(config).save_pretrained(folder)
    return folder


def test_the_learned_matcher_is_known_by_name():
    assert "lightglue" in registry.matcher_names()
    assert isinstance(registry.matcher("LightGlue"), MapMatcher)
    with pytest.raises(EclipsError, match=r"no matcher called 'other'\. There are: .*lightglue"):
        registry.matcher("other")


def test_a_tiny_model_from_a_folder_matches_within_the_pictures(model_folder):
    picture = np.random.default_rng(0).random((90, 70)).astype(np.float32)
    first, second, scores = registry.matcher("lightglue").match(picture, picture[:80], model_folder)
    assert first.shape == second.shape == (len(scores), 2)
    assert len(scores) > 0
    for points in (first, second):
        assert (points >= 0).all()
        assert (points <= (72, 96)).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_folder_without_a_model_is_told(tmp_path, model_folder):
    matcher = registry.matcher("lightglue")
    picture = np.zeros((40, 40), np.float32)
    with pytest.raises(EclipsError, match="needs a model"):
        matcher.match(picture, picture, None)
    with pytest.raises(EclipsError, match="holds no model"):
        matcher.match(picture, picture, tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(EclipsError, match="cannot be loaded"):
        matcher.match(picture, picture, tmp_path)


def test_weights_that_hold_code_are_not_loaded(tmp_path, model_folder):
    (tmp_path / "config.json").write_bytes((model_folder / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(EclipsError, match="holds no model"):
        registry.matcher("lightglue").match(np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32), tmp_path)


def test_the_step_hands_the_matcher_its_folder(model_folder):
    rng = np.random.default_rng(1)
    from scipy import ndimage

    height = 20 * ndimage.gaussian_filter(rng.normal(size=(100, 100)), 3.0)
    params = RegisterMap(
        2.0, map_pixel_size_nm=(2.0, 2.0), model="similarity", matcher="lightglue", matcher_folder=str(model_folder)
    )
    # Random weights find nothing; the exhaustive search steps in.
    found = run_step("register-map", {"height": height, "map": height[10:90, 20:90]}, params, SILENT)
    assert found.info["quality"]["found"]
    assert found.info["placement"]["center_px"] == pytest.approx((54.5, 49.5), abs=0.1)
    wrong = RegisterMap(2.0, map_pixel_size_nm=(2.0, 2.0), matcher="lightglue", matcher_folder="/nowhere")
    with pytest.raises(EclipsError, match="holds no model"):
        run_step("register-map", {"height": height, "map": height}, wrong, SILENT)
