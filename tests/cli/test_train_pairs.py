"""Training the U-Net on images of the user's own with the height map registered to them: `eclips train unet --pair`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eclips_app.__main__ import main
from eclips_app.cli.bench_known import annulus
from eclips_app.cli.train_pairs import read_pairs
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Reconstruct, SaveProject, Simulate, run_step
from eclips_app.engine.learned.pairs import pairs_of
from eclips_app.engine.surfaces import KINDS
from eclips_app.model import snapshot
from eclips_app.model.items import DetectorItem, HeightMap, SegmentImage, SegmentSet
from eclips_app.model.runs import make_run

PIXEL = 2.0
DETECTOR = annulus(4)


@pytest.fixture(scope="module")
def items():
    height = KINDS["sphere"]((72, 80), PIXEL, 3)
    params = Simulate(DETECTOR, PIXEL, 1e4, 1.0, azimuths=32)
    segments = run_step("simulate", {"height": height}, params, SilentContext()).arrays["segments"]
    images = tuple(SegmentImage(q.name, image) for q, image in zip(DETECTOR.quadrants, segments, strict=True))
    segment_set = SegmentSet("s", "set", images, PIXEL)
    fit = Reconstruct(DETECTOR, PIXEL, scan_parallax=False, device="cpu")
    run = make_run(
        segment_set, "reconstruct-linear", fit, run_step("reconstruct-linear", {"segments": segments}, fit, SilentContext()),
        1.0, "Live",
    )  # fmt: skip
    afm = HeightMap(
        "m", "AFM", height[8:64, 10:70], (PIXEL, PIXEL), center_px=(39.5, 35.5), placement={"position_std_nm": 1.0}
    )
    return [DetectorItem("d", DETECTOR, ""), segment_set, run, afm], height


def saved(path, items):
    state, arrays = snapshot.state_of(items)
    run_step("save-project", arrays, SaveProject(str(path), state), SilentContext())
    return path


def test_heights_come_on_the_pixels_of_the_images(items, tmp_path):
    project = saved(tmp_path / "a.eclips", items[0])
    params, inputs = read_pairs([project, project], SilentContext())
    assert (params[0].detector, params[0].pixel_size_nm) == (DETECTOR, PIXEL)
    found = inputs["pair/1/height"]
    assert found.shape == (72, 80)
    np.testing.assert_allclose(found[8:64, 10:70], items[1][8:64, 10:70], atol=1e-3)
    assert np.isnan(found[:7]).all()
    pair = pairs_of(inputs, params, 32)[1]
    right = np.gradient(items[1] / PIXEL, axis=1)
    np.testing.assert_allclose(pair.slopes[0][12:60, 14:66], right[12:60, 14:66], atol=1e-4)
    assert pair.known[12:60, 14:66].all()
    assert not pair.known[:8].any()


def test_windows_to_judge_by_are_not_trained_on(items, tmp_path):
    params, inputs = read_pairs([saved(tmp_path / "a.eclips", items[0])], SilentContext())
    pair = pairs_of(inputs, params, 16)[0]
    rows = np.broadcast_to(np.arange(72, dtype=np.float32)[:, None], (72, 80)).copy()
    marked = replace(pair, known=rows)
    rng = np.random.default_rng(0)
    trained = np.concatenate([marked.window(16, rng, 0, judged=False)["known"] for _ in range(60)])
    judged = np.concatenate([marked.window(16, rng, 0, judged=True)["known"] for _ in range(60)])
    assert trained.max() < judged.min()
    turned = marked.window(16, rng, 1, judged=False)["known"]
    assert (np.diff(turned, axis=0) == 0).all()  # columns were rows


def test_the_command_trains_on_pairs_from_weights_given(items, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("eclips_app.engine.learned.task._JUDGED", 1)
    project = saved(tmp_path / "a.eclips", items[0])
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    common = ["train", "unet", "--steps", "2", "--batch", "2", "--size", "32", "--device", "cpu"]
    assert main([*common, "-o", str(first)]) == 0
    assert main([*common, "-o", str(second), "--pair", str(project), "--initial", str(first)]) == 0
    assert "windows of 1 measured images" in second.with_suffix(".md").read_text(encoding="utf-8")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda items: items[:3], "no registered height map"),
        (lambda items: [*items[:3], replace(items[3], placement={})], "no registered height map"),
        (lambda items: [*items[:2], items[3]], "no reconstruction"),
    ],
)
def test_projects_without_what_is_needed_are_refused(items, tmp_path, change, said):
    with pytest.raises(EclipsError, match=said):
        read_pairs([saved(tmp_path / "a.eclips", change(items[0]))], SilentContext())


def test_pairs_that_cannot_serve_are_refused(items, tmp_path, capsys):
    params, inputs = read_pairs([saved(tmp_path / "a.eclips", items[0])], SilentContext())
    with pytest.raises(EclipsError, match="no window of 96"):
        pairs_of(inputs, params, 96)
    with pytest.raises(EclipsError, match="hardly any"):
        pairs_of({**inputs, "pair/0/height": np.full((72, 80), np.nan)}, params, 32)
    with pytest.raises(EclipsError, match="pixels"):
        pairs_of({**inputs, "pair/0/height": np.zeros((70, 80))}, params, 32)
    assert main(["train", "vft", "--pair", str(tmp_path / "a.eclips"), "-o", str(tmp_path / "x.safetensors")]) == 1
    assert "belong to the unet" in capsys.readouterr().err
