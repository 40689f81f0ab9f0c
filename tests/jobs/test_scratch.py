from __future__ import annotations

import errno
import gc
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eclips_app.core.errors import EclipsError
from eclips_app.jobs import scratch as scratch_module
from eclips_app.jobs.scratch import Scratch, describe, is_shared, sweep


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(folders=[tmp_path])


def test_arrays_are_equal_read_only_and_in_one_file(scratch: Scratch, tmp_path: Path) -> None:
    arrays = {
        "heights": np.arange(12, dtype=np.float32).reshape(3, 4),
        "mask": np.array([True, False]),
        "swapped": np.arange(3, dtype=">u2"),
        "empty": np.zeros((0, 5)),
        "scalar": np.array(2.5),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    shared = scratch.put(arrays)
    assert list(shared) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(shared[name], array)
        assert shared[name].dtype == array.dtype
        assert not shared[name].flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            shared[name].flags.writeable = True
    assert len(list(tmp_path.iterdir())) == 1
    assert next(tmp_path.iterdir()).stat().st_mode & 0o777 == 0o600


def test_sequences_are_stacked(scratch: Scratch) -> None:
    parts = [np.full((2, 3), i, np.uint16) for i in range(4)]
    stack = scratch.put({"segments": parts})["segments"]
    np.testing.assert_array_equal(stack, np.stack(parts))
    assert stack.dtype == np.uint16


def test_images_of_different_size_cannot_be_stacked(scratch: Scratch, tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match="'segments' differ in size"):
        scratch.put({"segments": [np.zeros((2, 2)), np.zeros((2, 3))]})
    assert list(tmp_path.iterdir()) == []


def test_objects_are_refused(scratch: Scratch) -> None:
    with pytest.raises(TypeError, match="not numbers"):
        scratch.put({"names": np.array(["E", "N"])})


@pytest.mark.parametrize(
    "view",
    [np.s_[:], np.s_[1:3], np.s_[:, ::2], np.s_[::-1, 1], np.s_[..., None], np.s_[4:]],
    ids=["whole", "rows", "columns", "reversed", "new-axis", "empty"],
)
def test_views_of_shared_arrays_travel_without_a_copy(scratch: Scratch, tmp_path: Path, view: object) -> None:
    original = np.arange(20, dtype=np.int32).reshape(4, 5)
    part = scratch.put({"a": original})["a"][view]  # type: ignore[index]
    again = scratch.put({"part": part})["part"]
    assert np.shares_memory(again, part) or part.size == 0
    assert len(list(tmp_path.iterdir())) == 1
    opened = Scratch(folders=[tmp_path]).open(describe({"part": part}))["part"]
    np.testing.assert_array_equal(opened, original[view])  # type: ignore[index]


def test_a_file_goes_with_the_last_array_on_it(scratch: Scratch, tmp_path: Path) -> None:
    shared = scratch.put({"a": np.ones(10), "b": np.ones(10)})
    row = shared["b"][2:]
    del shared
    gc.collect()
    assert len(list(tmp_path.iterdir())) == 1
    assert is_shared(row)
    del row
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_what_is_handed_over_stays_until_the_receiver_lets_go(scratch: Scratch, tmp_path: Path) -> None:
    where = describe(scratch.put({"a": np.arange(5)}), hand_over=True)
    gc.collect()
    receiver = Scratch(folders=[tmp_path])
    taken = receiver.open(where, adopt=True)
    np.testing.assert_array_equal(taken["a"], np.arange(5))
    del taken
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_private_arrays_have_no_place_to_tell() -> None:
    with pytest.raises(TypeError, match="not shared"):
        describe({"a": np.ones(3)})


def test_too_large_arrays_are_refused_before_anything_is_written(scratch: Scratch, tmp_path: Path) -> None:
    huge = np.broadcast_to(np.float64(0), (1 << 22, 1 << 22))  # 128 TiB, of which 8 bytes exist
    with pytest.raises(EclipsError, match=r"no room for 140737\.5 GB"):
        scratch.put({"huge": huge})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("has_fallocate", [True, False])
def test_running_out_of_room_is_an_error_and_leaves_nothing(
    scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_fallocate: bool
) -> None:
    if not has_fallocate:
        monkeypatch.delattr(os, "posix_fallocate")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))  # a real refusal by the system
    try:
        with pytest.raises(EclipsError, match="no room"):
            scratch.put({"large": np.zeros(8 << 20, np.uint8)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_space_is_reserved_where_the_system_cannot_do_it_by_itself(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    shared = scratch.put({"a": np.arange(1 << 18)})
    np.testing.assert_array_equal(shared["a"], np.arange(1 << 18))


def test_the_next_folder_is_taken_when_the_first_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, roomy = tmp_path / "full", tmp_path / "roomy"
    full.mkdir()
    roomy.mkdir()
    free = scratch_module.free_bytes
    monkeypatch.setattr(scratch_module, "free_bytes", lambda folder: 0 if folder == full else free(folder))
    shared = Scratch(folders=[full, roomy]).put({"a": np.ones(3)})
    assert describe(shared)[0].path.startswith(str(roomy))


def test_other_faults_of_the_disk_are_not_taken_for_a_full_one(
    scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(os, "posix_fallocate", broken)
    with pytest.raises(OSError, match="broken disk"):
        scratch.put({"a": np.ones(3)})
    assert list(tmp_path.iterdir()) == []


def test_hundreds_of_results_may_be_in_use(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        scratch_module.allow_many_files(400)
        scratch = Scratch(folders=[tmp_path])
        kept = [scratch.put({"a": np.full(3, i)})["a"] for i in range(300)]
        assert [int(array[0]) for array in kept] == list(range(300))
    finally:
        del kept
        gc.collect()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_sweep_removes_the_files_of_dead_processes_alone(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    mine = Scratch(folders=[tmp_path]).put({"a": np.ones(3)})
    dead = tmp_path / f"eclips_{child.pid}_e1_{'0' * 32}"
    foreign = tmp_path / f"eclips_{child.pid}.txt"
    dead.write_bytes(b"left")
    foreign.write_text("not a scratch file")
    assert sweep([tmp_path]) == 1
    assert not dead.exists()
    assert foreign.exists()
    assert Path(describe(mine)[0].path).exists()


def test_files_that_an_ended_process_left_are_forgotten_but_not_what_was_taken_over(tmp_path: Path) -> None:
    window, process = Scratch(folders=[tmp_path]), Scratch(tag="e1", folders=[tmp_path])
    kept = window.open(describe(process.put({"a": np.ones(3)}), hand_over=True), adopt=True)
    left = describe(process.put({"b": np.ones(3)}), hand_over=True)
    other = Scratch(tag="e11", folders=[tmp_path]).put({"c": np.ones(3)})
    gc.collect()
    window.forget("e1")
    assert not Path(left[0].path).exists()
    assert Path(describe(kept)[0].path).exists()
    assert Path(describe(other)[0].path).exists()
