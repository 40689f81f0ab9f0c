"""The step "measure": refusals, standard deviations from deviations and from fits, placed maps, masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import KINDS, Measure, Placement, Recipe, check_recipe, options_of
from eclips_app.core.schema import dump, load
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import run_step, step_function

R, C = np.mgrid[:100, :200].astype(float)
GROOVE = np.where((C > 80) & (C < 120), -30.0, 0.0) + 0.5 * C - 0.25 * R  #: at pixels of 5 nm
LINE = Shape("line", ((10, 50), (190, 50)), 5.0)
LEFT = Shape("rectangle", ((5, 5), (60, 60)))


def measure(kind, shapes=(), stretches=(), height=GROOVE, inputs=None, options=None, **given):
    params = Measure(Recipe(kind, stretches, options or {}), shapes, (5.0, 5.0), **given)
    return run_step("measure", {"height": height, **(inputs or {})}, params, SilentContext())


def value(result, name):
    return result.info["values"][name]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_says_what_it_is_and_what_it_gives_is_strict_json(kind):
    assert kind.title
    assert kind.help.endswith(".")
    assert kind.group
    assert kind.data in ("profile", "area")
    assert all(
        field.default is not None or "None" in str(field.type) for field in kind.options.__dataclass_fields__.values()
    )
    options_of(Recipe(kind.key))
    shapes = (LINE,) if kind.data == "profile" else (LEFT, LEFT)[: max(1, kind.shapes[0])]
    stretches = ((50.0, 300.0), (500.0, 800.0))[: kind.stretches[0]]
    rough = GROOVE + np.random.default_rng(0).normal(0, 1, GROOVE.shape)
    grating = rough + 20 * np.sin(2 * np.pi * C / 23)
    level = rough + 60 * (C > 30)
    height = {"pitch": grating, "step-histogram": level, "edge": level}.get(kind.key, rough)
    result = measure(kind.key, shapes, stretches, height=height)
    assert result.info["values"]
    for quantity in result.info["values"].values():
        assert set(quantity) == {"value", "std", "unit"}
        assert quantity["value"] is None or math.isfinite(quantity["value"])
    names = {name.rpartition("/")[0] or name for name in result.arrays}
    assert names == set(kind.plots)


def test_parameters_go_through_json():
    params = Measure(
        Recipe("cd", ((1.0, 2.0),), {"top_percent": 80}), (LINE, LEFT), (2.0, 3.0), (4.0, 5.0), Placement((1.0, 2.0), (3.0, 4.0)),
        deviation_parts=(("noise", "draw 1"),), pixel_size_percent=1.5,
    )  # fmt: skip
    assert load(Measure, dump(params)) == params


@pytest.mark.parametrize(("content", "words"), [("grey", "grey image"), ("normals", "normals"), ("other", "not a map")])
def test_what_is_no_height_is_refused(content, words):
    with pytest.raises(EclipsError, match=f"Areal roughness is measured on heights, and this is .*{words}"):
        measure("roughness-area", content=content)


@pytest.mark.parametrize(
    ("recipe", "shapes", "words"),
    [
        (Recipe("no-such"), 1, "no measurement"),
        (Recipe("step"), 1, "2 stretches, not 0"),
        (Recipe("step", ((0, 1), (2, 3))), 0, "1 line, not 0"),
        (Recipe("plane-angle"), 1, "2 areas, not 1"),
        (Recipe("step-iso", ((0, 1), (2, 3))), 1, "one or three"),
        (Recipe("cd", options={"top_percent": 20}), 1, "50 to 99.9"),
        (Recipe("cd", options={"bottom": 20}), 1, "unknown key"),
    ],
)
def test_recipes_that_lack_something_are_refused(recipe, shapes, words):
    with pytest.raises(EclipsError, match=words):
        check_recipe(recipe, shapes)


@pytest.mark.parametrize(
    ("kind", "shapes", "words"),
    [
        ("slope", (Shape("line", ((300, 5), (350, 5))),), "height map"),
        ("plane", (Shape("rectangle", ((300, 5), (350, 50))),), "beside the height map"),
        ("plane", (Shape("rectangle", ((3, 5), (3, 50))),), "one line"),
        ("slope", (Shape("polygon", ((3, 5), (3, 50), (20, 20))),), "polygon"),
        ("plane", (Shape("polyline", ((3, 5), (3, 50), (20, 20))),), "no area"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(kind, shapes, words):
    with pytest.raises(EclipsError, match=words):
        measure(kind, shapes)


def test_a_groove_is_found_and_measured_on_a_slope():
    result = measure("step-iso", (LINE,))
    assert value(result, "height")["value"] == pytest.approx(-30.0)
    assert value(result, "slope")["value"] == pytest.approx(math.degrees(math.atan(0.1)))
    assert "from 352.5 to 547.5 nm" in result.info["notes"][0]
    marked = measure("step-iso", (LINE,), ((352.5, 547.5),))
    by_hand = measure("step-iso", (LINE,), ((160.0, 285.0), (420.0, 480.0), (615.0, 740.0)))
    assert value(marked, "height")["value"] == pytest.approx(-30.0)
    assert value(by_hand, "height")["value"] == pytest.approx(-30.0)


def test_the_standards_margins_keep_rounded_edges_out():
    rounded = -30.0 / (1 + ((C - 100) / 20.0) ** 16)
    edges = ((355.0, 545.0),)  # half the height, from the start at column 10
    assert value(measure("step-iso", (LINE,), edges, height=rounded), "height")["value"] == pytest.approx(-30, abs=0.05)
    loose = measure("step-iso", (LINE,), edges, height=rounded, options={"margin": 0.0})
    assert value(loose, "height")["value"] > -29


def test_a_profile_too_short_for_the_standard_says_so():
    short = Shape("line", ((60, 50), (140, 50)), 5.0)
    notes = measure("step-iso", (short,), ((102.5, 297.5),)).info["notes"]
    assert any("shorter than ISO 5436-1" in note for note in notes)
    with pytest.raises(EclipsError, match="too little of the level before"):
        measure("step-iso", (Shape("line", ((75, 50), (190, 50))),), ((27.5, 222.5),))


def test_without_a_feature_the_profile_is_refused():
    flat = np.random.default_rng(0).normal(0, 1, GROOVE.shape)
    with pytest.raises(EclipsError, match="groove or ridge"):
        measure("step-iso", (LINE,), height=flat)


def test_planes_and_the_angle_between_them():
    roof = np.where(C < 100, 0.0, 5 * (C - 100) * math.tan(math.radians(40.0)))
    right = Shape("circle", ((150, 50), (180, 50)))
    result = measure("plane-angle", (LEFT, right), height=roof)
    assert value(result, "angle")["value"] == pytest.approx(40.0)
    tilt = measure("plane", (right,), height=roof)
    assert (value(tilt, "tilt")["value"], value(tilt, "azimuth")["value"]) == pytest.approx((40.0, 0.0), abs=1e-9)


def test_the_standard_deviation_of_planes_is_that_of_repeated_measurements():
    rng = np.random.default_rng(4)
    right = Shape("rectangle", ((130, 20), (160, 50)))
    found, stated = [], []
    for _ in range(200):
        noisy = GROOVE + rng.normal(0, 2, GROOVE.shape)
        angle = value(measure("plane-angle", (LEFT, right), height=noisy + 2 * np.where(C > 125, C, 0)), "angle")
        found.append(angle["value"])
        stated.append(angle["std"])
    assert np.std(found) == pytest.approx(np.mean(stated), rel=0.2)


def deviations():
    """Noise of 0.5 nm that all share, a slope of 1 % to the right, and a pixel size that is 2 % off."""
    maps = np.stack([np.full(C.shape, 0.1), 0.01 * C, 0.02 * GROOVE / 5]).astype(np.float64)
    parts = (("noise", "draw 1"), ("geometry", "tilt_x_deg"), ("pixel size", "pixel size"))
    return {"deviations": maps}, {"deviation_parts": parts, "pixel_size_percent": 2.0, "not_stated": ("gains",)}


def test_deviations_give_standard_deviation_and_budget():
    inputs, facts = deviations()
    result = measure("step-iso", (LINE,), inputs=inputs, **facts)
    height, slope = value(result, "height"), value(result, "slope")
    assert height["std"] == pytest.approx(0.02 * 30, rel=1e-3)  # neither an offset nor a slope moves the step
    assert [share["part"] for share in height["budget"]] == ["noise", "geometry", "pixel size"]
    assert height["budget"][2]["percent"] == pytest.approx(100, abs=0.1)
    # A wrong pixel size leaves angles alone; a slope of 1 % turns one of 10 %.
    assert slope["std"] == pytest.approx(math.degrees(0.01 / (1 + 0.1**2)), rel=1e-3)
    assert result.info["not_stated"] == ["gains"]
    assert not any("without a covariance" in note for note in result.info["notes"])


def test_deviations_reach_areas_and_lengths():
    inputs, facts = deviations()
    plane = measure("plane", (LEFT,), inputs=inputs, **facts)
    assert value(plane, "level")["std"] == pytest.approx(
        math.hypot(0.5, 0.05 * 32.5, 0.02 * value(plane, "level")["value"]), rel=1e-3
    )
    width = value(measure("cd", (LINE,), inputs=inputs, **facts), "width")
    assert width["std"] == pytest.approx(0.02 * width["value"], rel=1e-3)
    area = value(measure("area", (LEFT,), inputs=inputs, **facts), "projected area")
    assert area["std"] == pytest.approx(0.04 * area["value"], rel=1e-3)


def test_a_quantity_that_is_not_linear_follows_its_deviations():
    rng = np.random.default_rng(2)
    rough = rng.normal(0, 3, C.shape)
    inputs = {"deviations": (0.1 * rough / 5)[None]}
    result = measure("roughness-area", (), height=rough, inputs=inputs, deviation_parts=(("geometry", "distance_mm"),),
                     options={"form": "none"})  # fmt: skip
    for name in ("Sq", "Sz", "Sk", "Sdq", "Vmc"):
        quantity = value(result, name)
        assert quantity["std"] == pytest.approx(0.1 * quantity["value"], rel=1e-6)
    assert value(result, "Ssk")["std"] == pytest.approx(0, abs=1e-9)


def test_azimuths_differ_the_short_way_round():
    north = -5 * math.tan(math.radians(10)) * R + 1e-9 * C
    right = 5 * math.tan(math.radians(10)) * C
    inputs = {"deviations": (0.02 * -R)[None]}  # turns the direction through zero
    result = measure("plane", (LEFT,), height=right, inputs=inputs, deviation_parts=(("geometry", "tilt_y_deg"),))
    assert value(result, "azimuth")["std"] == pytest.approx(
        math.degrees(math.atan(0.02 / math.tan(math.radians(10)))), rel=1e-6
    )
    assert value(measure("plane", (LEFT,), height=north), "azimuth")["value"] == pytest.approx(90, abs=1e-6)


def test_the_mask_and_holes_are_left_out():
    wrong = GROOVE.copy()
    wrong[20:40, 20:40] += 500
    mask = np.ones(C.shape, bool)
    mask[20:40, 20:40] = False
    holed = wrong.copy()
    holed[~mask] = np.nan
    expected = value(measure("plane", (LEFT,)), "tilt")["value"]
    assert value(measure("plane", (LEFT,), height=wrong, inputs={"mask": mask}), "tilt")["value"] == pytest.approx(
        expected
    )
    assert value(measure("plane", (LEFT,), height=holed), "tilt")["value"] == pytest.approx(expected)


def test_shapes_count_from_the_uncropped_image():
    moved = Shape("line", ((15, 57), (195, 57)), 5.0)
    result = measure("step-iso", (moved,), origin_px=(7.0, 5.0))
    assert "from 352.5 to 547.5 nm" in result.info["notes"][0]
    left = Shape("rectangle", ((10, 12), (65, 67)))
    assert value(measure("plane", (left,), origin_px=(7.0, 5.0)), "level") == value(measure("plane", (LEFT,)), "level")


def test_a_placed_map_is_measured_on_its_own_pixels():
    placement = Placement((2.0, 2.0), (50.0, 40.0), 30.0, 5.0, z_slope=(0.0, 0.0))
    slope = math.tan(math.radians(20.0))
    height = 2.0 * slope * C  # rises to the map's right, which is 30 degrees up in the image
    around = Shape("circle", ((50, 40), (60, 40)))
    result = measure("plane", (around,), height=height, placement=placement)
    assert value(result, "tilt")["value"] == pytest.approx(20.0)
    assert value(result, "azimuth")["value"] == pytest.approx(30.0)
    area = value(measure("area", (around,), height=height, placement=placement), "projected area")["value"]
    assert area == pytest.approx(math.pi * 50**2, rel=1e-2)
    line = Shape("line", ((45, 40), (55, 40)))
    angle = value(measure("slope", (line,), height=height, placement=placement), "angle")["value"]
    assert angle == pytest.approx(math.degrees(math.atan(slope * math.cos(math.radians(30)))))


def test_the_slope_added_to_a_placed_map_counts_for_areas_as_for_lines():
    placement = Placement((2.0, 2.0), (50.0, 40.0), 30.0, 5.0, z_slope=(0.1, 0.0))
    flat = np.zeros(C.shape)
    around = Shape("circle", ((52, 41), (60, 40)))
    plane = measure("plane", (around,), height=flat, placement=placement)
    assert value(plane, "tilt")["value"] == pytest.approx(math.degrees(math.atan(0.1)))
    assert value(plane, "azimuth")["value"] == pytest.approx(0.0, abs=1e-6)
    assert value(plane, "level")["value"] == pytest.approx(5.0 + 0.1 * 2 * 5, abs=0.05)
    line = measure("slope", (Shape("line", ((45, 40), (55, 40))),), height=flat, placement=placement)
    assert value(line, "angle")["value"] == pytest.approx(math.degrees(math.atan(0.1)))


def test_a_circular_profile_of_a_cone_is_level():
    cone = np.hypot(C - 100, R - 50)
    result = measure("slope", (Shape("circle", ((100, 50), (130, 50))),), height=cone)
    assert value(result, "angle")["value"] == pytest.approx(0, abs=0.05)


def test_the_step_is_registered_where_the_window_finds_it():
    assert step_function("measure").__module__ == "eclips_app.metrology.measure"


@st.composite
def surfaces(draw):
    """Small surfaces of all sorts: flat, tilted, stepped, rough, with holes."""
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    r, c = np.mgrid[:rows, :columns].astype(float)
    height = draw(st.sampled_from([0.0, 1.0])) * (0.3 * c - 0.1 * r)
    height += draw(st.sampled_from([0.0, 20.0])) * (c > columns / 3) + draw(
        st.sampled_from([0.0, 1e-9, 3.0])
    ) * rng.normal(size=r.shape)
    height += draw(st.sampled_from([0.0, 5.0])) * np.sin(c)
    if draw(st.booleans()):
        height[rng.random(r.shape) < draw(st.sampled_from([0.02, 0.6, 1.0]))] = np.nan
    return height


@given(surfaces(), st.sampled_from(list(KINDS)), st.data())
@settings(max_examples=400)
def test_every_kind_gives_values_or_one_sentence(height, key, data):
    kind = KINDS[key]
    place = st.tuples(st.floats(-5, 45), st.floats(-5, 45))
    sort = ["line", "polyline", "circle", "rectangle"] if kind.data == "profile" else ["circle", "rectangle"]
    try:
        shapes = tuple(
            Shape(
                data.draw(st.sampled_from(sort)),
                (data.draw(place), data.draw(place)),
                data.draw(st.sampled_from([0, 1, 7])),
            )
            for _ in range(data.draw(st.integers(*kind.shapes)))
        )
        number = data.draw(st.sampled_from([kind.stretches[0], kind.stretches[1]]))
        stretches = tuple(data.draw(st.tuples(st.floats(-20, 300), st.floats(-20, 300))) for _ in range(number))
        result = measure(key, shapes, stretches, height=height)
    except EclipsError as error:
        told = str(error)
    else:
        told = " ".join(result.info["notes"])
        for quantity in result.info["values"].values():
            assert quantity["value"] is None or math.isfinite(quantity["value"])
    assert "\n" not in told
