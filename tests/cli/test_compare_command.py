"""`eclips compare`: a project against a height map, through registration and verdict, in JSON and in words."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from eclips_app.__main__ import main
from eclips_app.model.items import Run, SegmentImage, SegmentSet

PIXEL = 2.0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A project with a reconstruction, and a map of a part of it: turned by 90 degrees, on other pixels, lifted."""
    folder = tmp_path_factory.mktemp("compare")
    rng = np.random.default_rng(3)
    height = ndimage.gaussian_filter(rng.normal(size=(150, 170)), 4.0)
    height *= 6 / height.std()
    afm = np.rot90(ndimage.zoom(height, 2 / 2.5, order=3, grid_mode=True, mode="nearest"))[20:110, 10:100] + 100.0
    np.savez(folder / "afm.npz", height=afm + rng.normal(0, 0.1, afm.shape))
    images = tuple(SegmentImage(name, np.zeros((170, 200), np.uint16)) for name in "ENWS")
    arrays = {
        "height": (0.9 * height).astype(np.float32), "height_std": np.full(height.shape, 0.2, np.float32),
        "mask": np.ones(height.shape, bool),
    }  # fmt: skip
    params = {"pixel_size_nm": PIXEL, "crop": [10, 20, 160, 190]}
    run = Run("r", "Run 1", "s", "reconstruct-linear", 1, params, arrays, {}, (), "2026-01-01T00:00:00Z", 1.0)
    save_project(folder / "out.eclips", [SegmentSet("s", "set", images, PIXEL), run])
    return folder


def save_project(path, items):
    from eclips_app.core.context import SilentContext
    from eclips_app.core.steps import SaveProject, run_step
    from eclips_app.model import snapshot

    state, arrays = snapshot.state_of(items)
    run_step("save-project", arrays, SaveProject(str(path), state), SilentContext())


def command(files, *more):
    return [
        "compare",
        str(files / "out.eclips"),
        str(files / "afm.npz"),
        "--unit",
        "nm",
        "--pixel-size",
        "2.5nm",
        *more,
    ]


def test_every_quantity_has_value_std_and_unit(files, capsys):
    assert main(command(files, "--json", "--model", "similarity", "--difference", str(files / "d.tif"))) == 0
    result = json.loads(capsys.readouterr().out)
    registration = result["registration"]
    assert registration["quality"]["found"]
    assert abs(registration["rotation"]["value"]) == pytest.approx(90, abs=0.5)
    assert registration["rotation"]["unit"] == "deg"
    assert registration["stretch_x"]["std"] > 0
    scale = result["agreement"]["height_scale"]
    assert scale["value"] == pytest.approx(0.9, abs=0.03)
    assert set(scale) == {"value", "std", "unit"}
    for name in ("bias", "std", "rms", "lower", "upper", "chi2"):
        assert set(result["agreement"][name]) == {"value", "std", "unit"}
    assert len(result["profiles"]) == 2
    assert result["profiles"][0]["angle_difference"]["unit"] == "deg"
    assert any("flatter" in sentence for sentence in result["verdict"])
    assert tifffile.imread(files / "d.tif").shape == (150, 170)


def test_words_lines_landmarks_and_tips(files, capsys):
    marks = files / "marks.csv"
    assert main(command(files, "--json", "--model", "similarity")) == 0
    place = json.loads(capsys.readouterr().out)["registration"]["placement"]
    # Two points of the map where they lie by the placement: a similarity is two points.
    from eclips_app.metrology.placement import Placement

    full = Placement(
        (90, 90), (2.5, 2.5), PIXEL, tuple(place["center_px"]), place["rotation_deg"], tuple(place["stretch"])
    )
    points = [(10.0, 10.0), (80.0, 70.0)]
    rows = [(*p, *(float(v) for v in full.to_image(*np.array(p)))) for p in points]
    marks.write_text("map col,map row,image col,image row\n" + "\n".join(",".join(map(str, row)) for row in rows))
    arguments = ("--landmarks", str(marks), "--line", "40,80:150,90", "--tip", "radius=5nm,angle=20deg")
    assert main(command(files, *arguments)) == 0
    text = capsys.readouterr().out
    assert "line 40,80 to 150,90" in text
    assert "with tip: standard deviation" in text
    assert "Seen with the tip (cone, radius 5 nm, half angle 20°)" in text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--tip", "radius=5"), "not a length"), (("--tip", "angle=5deg"), "no tip"), (("--line", "1,2"), "no line"),
        (("--landmarks", "missing.csv"), "cannot be read"), (("--matcher", "nobody"), "no matcher called"),
        (("--run", "other"), "no reconstruction is called"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(files, capsys, more, words):
    assert main(command(files, *more)) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_map_that_does_not_belong_is_refused(files, capsys, tmp_path):
    other = ndimage.gaussian_filter(np.random.default_rng(9).normal(size=(90, 90)), 3.0)
    np.savez(tmp_path / "other.npz", height=other)
    line = ["compare", str(files / "out.eclips"), str(tmp_path / "other.npz"), "--unit", "nm", "--pixel-size", "2.5nm"]
    assert main(line) == 1
    assert "landmarks" in capsys.readouterr().err
