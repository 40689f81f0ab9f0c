"""Hatching: stripes only where a flag is set, each flag told from the others."""

from __future__ import annotations

import numpy as np

from eclips_app.core.deviations import FLAGS
from eclips_app.scene3d.hatching import STRIPES, flag_names, hatch, lay_over


def test_stripes_lie_in_flagged_areas_and_run_diagonally() -> None:
    flags = np.zeros((40, 60), np.uint8)
    flags[10:30, 20:50] = 1
    picture = hatch(flags, 8)
    assert not picture[flags == 0].any()
    inside = picture[10:30, 20:50, 3] > 0
    assert 0.2 < inside.mean() < 0.6
    np.testing.assert_array_equal(inside[1:, :-1], inside[:-1, 1:])  # one row down, one column to the left
    falling = hatch(2 * flags, 8)[10:30, 20:50, 3] > 0
    np.testing.assert_array_equal(falling[1:, 1:], falling[:-1, :-1])


def test_every_flag_has_stripes_and_two_show_together() -> None:
    assert STRIPES.keys() == FLAGS.keys()
    assert flag_names(5) == ["no data", "occluded"]
    for first in STRIPES:
        for second in STRIPES:
            colors = {
                tuple(c) for c in hatch(np.full((30, 30), first | second, np.uint8)).reshape(-1, 4)[:, :3].tolist()
            }
            assert {STRIPES[first].color, STRIPES[second].color} <= colors


def test_a_picture_keeps_its_colours_between_the_stripes() -> None:
    rgb = np.full((20, 20, 3), 90, np.uint8)
    flags = np.full((20, 20), 8, np.uint8)
    hatched = lay_over(rgb, flags)
    bare = hatch(flags)[..., 3] == 0
    assert (hatched[bare] == 90).all()
    assert (hatched[~bare] != 90).any()
    np.testing.assert_array_equal(lay_over(rgb, np.zeros_like(flags)), rgb)
