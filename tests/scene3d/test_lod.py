from __future__ import annotations

from eclips_app.scene3d.lod import MOVING_BUDGET_S, STILL_BUDGET_S, LevelOfDetail


def _settle(lod: LevelOfDetail, seconds: dict[int, float]) -> int:
    """Rest until nothing gets finer, on a machine that needs these times; gives the last stride."""
    stride = lod.moving()
    while True:
        lod.record(stride, seconds[stride])
        finer = lod.finer(stride)
        if finer == stride:
            return stride
        stride = finer


def test_the_first_picture_has_about_128_points_an_edge() -> None:
    assert LevelOfDetail((1024, 1024)).first == 8
    assert LevelOfDetail((4096, 2000)).first == 32
    assert LevelOfDetail((100, 100)).first == 1
    assert LevelOfDetail((2, 2)).first == 1


def test_a_fast_machine_ends_at_the_full_mesh_and_moves_with_it() -> None:
    lod = LevelOfDetail((1024, 1024))
    assert _settle(lod, dict.fromkeys(lod.strides, 0.004)) == 1
    assert lod.moving() == 1
    assert lod.divisor() == 1


def test_in_software_still_frames_stay_within_their_budget() -> None:
    lod = LevelOfDetail((1024, 1024))
    seconds = {8: 0.031, 4: 0.045, 2: 0.11, 1: 0.31}
    assert _settle(lod, seconds) == 2
    assert lod.predict_s(2) <= STILL_BUDGET_S < lod.predict_s(1)
    assert lod.moving() == 8
    assert lod.predict_s(8) <= MOVING_BUDGET_S


def test_a_slow_machine_moves_with_fewer_pixels() -> None:
    lod = LevelOfDetail((1024, 1024))
    assert lod.divisor() == 2  # the first picture is to come soon
    lod.record(8, 0.12)
    assert lod.moving() == 16
    assert lod.divisor() == 2
    lod.record(16, 0.012, divisor=2)
    assert lod.divisor() == 1


def test_one_slow_frame_changes_little_and_a_fast_one_counts() -> None:
    lod = LevelOfDetail((1024, 1024))
    lod.record(8, 0.02)
    lod.record(8, 0.05)
    assert 0.02 < lod.predict_s(8) < 0.033
    lod.record(8, 0.01)
    assert lod.predict_s(8) == 0.01
    lod.forget()
    assert not lod.is_known(8)
    assert lod.moving() == lod.first
