"""The project file: everything comes back, nothing is lost, and any HDF5 reader finds what the contract names."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.schema import dump
from eclips_app.core.schema import load as load_params
from eclips_app.core.shapes import SHAPES
from eclips_app.core.steps import LoadProject, Reconstruct, SaveProject
from eclips_app.io import project_file
from eclips_app.model import snapshot
from eclips_app.model.items import (
    Acquisition,
    DetectorItem,
    HeightMap,
    Item,
    Measurement,
    ProfileLine,
    Run,
    SegmentImage,
    SegmentSet,
)
from eclips_app.model.project import Project

DETECTOR = Detector(
    quadrants=tuple(Segment(n, a, 86.0, 1.0, 0.0) for n, a in zip("ENWS", (0, 90, 180, 270), strict=True))
)


def small_project(frames: int = 1, shape: tuple[int, int] = (5, 7)) -> Project:
    rng = np.random.default_rng(3)
    project = Project()
    items: list[Item] = [DetectorItem("det", DETECTOR)]
    for i in range(frames):
        images = tuple(
            SegmentImage(
                name, rng.integers(0, 60000, shape).astype(np.uint16), Acquisition(energy_kev=15.0), sha256=name * 8
            )
            for name in "ENWS"
        )
        time_s = 10.0 - i if frames > 1 else None  # later frames first, so that sorting is seen
        items.append(SegmentSet(f"set{i}", f"Set {i}", images, 2.0, "typed", (0, 0, *shape), time_s=time_s))
        arrays = {
            "height": rng.normal(size=shape).astype(np.float32),
            "height_std": np.full(shape, 0.5, np.float32),
            "normals": rng.normal(size=(3, *shape)).astype(np.float32),
            "residual": rng.normal(size=(4, *shape)).astype(np.float32),
            "mask": rng.random(shape) > 0.2,
        }
        params = dump(Reconstruct(DETECTOR, 2.0))
        made = ("2026-01-01T00:00:00Z", 0.1)
        info = {"device": "cpu"}
        items.append(Run(f"run{i}", "Run", f"set{i}", "reconstruct-linear", 1, params, arrays, info, ("a", "b"), *made))
    height = np.array([[1.0, np.nan], [2.0, 3.0]])
    items.append(HeightMap("afm", "AFM", height, (1.0, 1.5)))
    items.append(ProfileLine("line", "Line 1", (0.5, 1.0), (4.0, 3.0), 3.0))
    items.append(Measurement("m", "Step", "Run", "line", "run0", {"step": {"value": 4.0, "std": 0.2, "unit": "nm"}}))
    project.apply({item.id: item for item in items})
    project.select(set_id="set0", run_id="run0", line_id="line")
    return project


def save(project: Project, path: Path, **options: Any) -> Path:
    return project_file.write_project(path, *snapshot.to_state(project), **options)


def load(path: Path) -> snapshot.Snapshot:
    return snapshot.from_state(*project_file.read_project(path))


def same(a: Any, b: Any) -> bool:
    """Whether two items are equal, arrays bit for bit and in type."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__)
    return bool(a == b)


# What is saved comes back


def test_project_comes_back(tmp_path: Path) -> None:
    project = small_project()
    path = tmp_path / "a.eclips"
    state, arrays = snapshot.to_state(project, view={"camera": [1.0, 2.0]})
    result = project_file.save_step(arrays, SaveProject(str(path), state), SilentContext())
    assert result.info["path"] == str(path)
    loaded = project_file.load_step({}, LoadProject(str(path)), SilentContext())
    shot = snapshot.from_state(loaded.info["state"], loaded.arrays)
    run = next(item for item in shot.items if isinstance(item, Run))
    assert run.info.pop("software").startswith("ECLIPS ")
    assert same(list(shot.items), list(project))
    assert shot.selection == project.selection
    assert shot.view == {"camera": [1.0, 2.0]}
    assert not run.arrays["height"].flags.writeable
    again = Project()
    snapshot.fill(again, shot)
    assert again.selection == project.selection


TYPES = st.sampled_from(["<u1", "<u2", ">u2", "<i4", "<f4", "<f8", "?"])
WORDS = st.text(max_size=8)
IDS = st.lists(st.text("0123456789abcdef", min_size=4, max_size=12), min_size=9, max_size=9, unique=True)


def images_of(data: st.DataObject, shape: tuple[int, int], count: int) -> tuple[SegmentImage, ...]:
    return tuple(
        SegmentImage(data.draw(WORDS), data.draw(hnp.arrays(data.draw(TYPES), shape)), sha256="0" * 64)
        for _ in range(count)
    )


@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_comes_back(tmp_path: Path, kind: str) -> None:
    project = small_project()
    line = ProfileLine("shape", "Shape", (1.0, 1.0), (4.0, 3.0), 2.0, kind=kind, stretches_nm=((0.5, 2.0),))
    line = replace(line, via_px=((2.0, 2.5),)) if kind in ("polyline", "polygon") else line
    project.apply({line.id: line})
    state, arrays = project_file.read_project(save(project, tmp_path / "p.eclips"), SilentContext())
    assert line in snapshot.from_state(state, arrays).items


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_project_comes_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    ids = data.draw(IDS)
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    project = Project()
    items: list[Item] = []
    for i in range(data.draw(st.integers(0, 3))):
        exclude = data.draw(st.none() | hnp.arrays("?", shape))
        time_s = data.draw(st.none() | st.floats(0, 1e6))
        images = images_of(data, shape, data.draw(st.integers(3, 5)))
        items.append(SegmentSet(ids[i], data.draw(WORDS), images, exclude=exclude, time_s=time_s))
        arrays = {
            name: data.draw(hnp.arrays("<f4", shape)) for name in data.draw(st.sets(st.sampled_from(["height", "rho"])))
        }
        params = dump(Reconstruct(DETECTOR, data.draw(st.floats(0.1, 1e3))))
        info = {"software": "x", data.draw(WORDS): data.draw(st.floats(allow_nan=False, allow_infinity=False))}
        items.append(Run(ids[i + 3], "r", ids[i], "reconstruct-linear", 1, params, arrays, info, (), "", 0.0, i == 1))
    items.append(HeightMap(ids[7], data.draw(WORDS), data.draw(hnp.arrays("<f8", shape)), (1.0, 2.0)))
    items.append(ProfileLine(ids[8], data.draw(WORDS), (0.0, 0.1), (1.0, 1e-9)))
    items = data.draw(st.permutations(items))
    project.apply({item.id: item for item in items})
    path = save(project, tmp_path_factory.mktemp("p") / "p.eclips")
    shot = load(path)
    assert same(list(shot.items), items)
    assert shot.selection == project.selection


# What other programs find


def test_contract_paths_are_links_to_the_selected_run(tmp_path: Path) -> None:
    project = small_project()
    first = project.get(Run, "run0")
    assert first is not None
    starred = replace(first, id="best", starred=True, arrays={"height": np.zeros((5, 7), np.float32)})
    project.apply({"best": starred})
    path = save(project, tmp_path / "a.eclips")
    with h5py.File(path) as file:
        assert file["input/quadrants"] == file["sets/set0/quadrants"]  # one object under two names
        assert file["input/quadrants"].shape == (4, 5, 7)
        assert file["input/quadrants"].dtype == np.uint16
        assert file["reconstruction"] == file["runs/best"]
        assert file["reconstruction/height"].dtype == np.float32
        assert file["reconstruction/height"].attrs["pixel_size_nm"] == 2.0
        assert json.loads(file["detector"].asstr()[()])["schema"] == "eclips-detector/1"
        facts = file["reconstruction"].attrs
        assert facts["software"].startswith("ECLIPS ")
        assert (facts["method"], facts["device"], facts["time"]) == (
            "reconstruct-linear",
            "cpu",
            "2026-01-01T00:00:00Z",
        )
        assert json.loads(facts["parameters"])["pixel_size_nm"] == 2.0
        assert json.loads(facts["seeds"]) == {}
        assert json.loads(facts["model_files"]) == {}
        assert list(facts["input_sha256"]) == ["a", "b"]
        height = file["runs/run0/normals"]
        assert height.chunks == (1, 5, 7)
        assert (height.shuffle, height.compression, height.compression_opts, height.fletcher32) == (
            True,
            "gzip",
            1,
            True,
        )


def test_series_has_a_leading_frame_axis_and_stores_nothing_twice(tmp_path: Path) -> None:
    project = small_project(frames=3, shape=(64, 64))
    path = save(project, tmp_path / "a.eclips")
    assert path.stat().st_size < 1.2 * sum(a.nbytes for a in snapshot.to_state(project)[1].values())
    with h5py.File(path) as file:
        assert file["input/quadrants"].shape == (3, 4, 64, 64)
        assert list(file["series/time_s"]) == [8.0, 9.0, 10.0]
        for frame, number in enumerate((2, 1, 0)):
            assert np.array_equal(file["reconstruction/height"][frame], file[f"runs/run{number}/height"][()])
            assert np.array_equal(file["input/quadrants"][frame], file[f"sets/set{number}/quadrants"][()])
        assert file["reconstruction/height"].attrs["pixel_size_nm"] == 2.0
        assert file["series/drift_px"].shape == (3, 2)
        assert file["reconstruction"].attrs["method"] == "reconstruct-linear"


def test_frames_without_a_run_are_empty(tmp_path: Path) -> None:
    project = small_project(frames=2)
    project.apply({"run1": None})
    with h5py.File(save(project, tmp_path / "a.eclips")) as file:
        assert np.isnan(file["reconstruction/height"][0]).all()
        assert not file["reconstruction/mask"][0].any()
        assert np.isfinite(file["reconstruction/height"][1]).all()


# Nothing is lost


def test_earlier_versions_are_kept(tmp_path: Path) -> None:
    project = small_project()
    path = tmp_path / "a.eclips"
    for number in range(5):
        project.apply({"line": ProfileLine("line", f"Line {number}", (0, 0), (1, 1))})
        save(project, path, keep=2)
    names = {p.name: next(i.name for i in load(p).items if isinstance(i, ProfileLine)) for p in tmp_path.iterdir()}
    assert names == {"a.eclips": "Line 4", "a.1.eclips": "Line 3", "a.2.eclips": "Line 2"}


def test_cancelled_save_leaves_the_previous_file(tmp_path: Path) -> None:
    class Stop(SilentContext):
        def progress(self, fraction: float, text: str = "") -> None:
            if fraction > 0.3:
                raise Cancelled

    project = small_project()
    path = save(project, tmp_path / "a.eclips")
    before = path.read_bytes()
    with pytest.raises(Cancelled):
        save(project, path, context=Stop())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.eclips"]


def test_full_disk_leaves_the_previous_file(tmp_path: Path) -> None:
    """A real limit of the system on the size of files, in a process of its own, at several points of the save."""
    path = save(small_project(), tmp_path / "a.eclips")
    before = path.read_bytes()
    script = """
        import resource, sys
        import numpy as np
        from eclips_app.core.errors import EclipsError
        from eclips_app.io import project_file
        from eclips_app.model import snapshot
        from eclips_app.model.items import HeightMap
        height = np.random.default_rng(0).normal(size=(300, 300))
        state, arrays = snapshot.state_of([HeightMap("m", "m", height, (1.0, 1.0))])
        for limit in (0, 1000, 100_000, 600_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            try:
                project_file.write_project(sys.argv[1], state, arrays)
            except EclipsError as error:
                assert "the disk is full" in str(error), error
            else:
                sys.exit(f"the limit {limit} was not met")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.eclips"]


def test_what_does_not_read_back_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = small_project()
    path = save(project, tmp_path / "a.eclips")
    before = path.read_bytes()
    whole = project_file._read_array
    monkeypatch.setattr(project_file, "_read_array", lambda file, key: whole(file, key) * 0)
    with pytest.raises(EclipsError, match="did not read back"):
        save(project, path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_missing_folder_and_write_protected_target(tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match="does not exist"):
        save(small_project(), tmp_path / "no" / "a.eclips")
    (tmp_path / "d.eclips").mkdir()
    with pytest.raises(EclipsError, match="folder"):
        save(small_project(), tmp_path / "d.eclips")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = save(small_project(), tmp_path / "real" / "a.eclips")
    link = tmp_path / "b.eclips"
    link.symlink_to(path)
    save(small_project(), link, keep=0)
    assert link.is_symlink()
    assert load(link).items


# Damage


def test_every_cut_and_every_overwritten_block_is_told(tmp_path: Path) -> None:
    project = small_project(shape=(40, 40))
    path = save(project, tmp_path / "a.eclips")
    good, expected = path.read_bytes(), list(load(path).items)
    rng = np.random.default_rng(1)
    for trial in range(60):
        bad = bytearray(good)
        if trial % 3 == 0:
            del bad[int(rng.integers(len(bad))) :]
        else:
            start = int(rng.integers(len(bad)))
            block = rng.integers(0, 256, int(rng.integers(1, 400)), np.uint8).tobytes()
            bad[start : start + len(block)] = block[: len(bad) - start]
        path.write_bytes(bad)
        items: list[Item] = expected
        with contextlib.suppress(EclipsError):
            items = list(load(path).items)
        assert same(items, expected)  # told, or the damage hit nothing that is read


def test_message_names_the_earlier_version(tmp_path: Path) -> None:
    path = save(small_project(), tmp_path / "a.eclips")
    save(small_project(), path)
    path.write_bytes(b"gone")
    with pytest.raises(EclipsError, match=r"a\.1\.eclips"):
        load(path)


def test_files_that_are_no_project(tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match="no such file"):
        load(tmp_path / "missing.eclips")
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with pytest.raises(EclipsError, match="no ECLIPS project"):
        load(other)


def test_newer_project_is_refused(tmp_path: Path) -> None:
    path = save(small_project(), tmp_path / "a.eclips")
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = "eclips-project/99"
    with pytest.raises(EclipsError, match="newer version"):
        load(path)


def tampered(path: Path, change: Any) -> Path:
    """Change the height of run0 in a saved project, as a hostile file would have it."""
    with h5py.File(path, "r+") as file:
        del file["runs/run0/height"]
        change(file["runs/run0"])
    return path


def external_link(group: Any) -> None:
    group["height"] = h5py.ExternalLink("secret.h5", "/x")


def soft_link(group: Any) -> None:
    group["height"] = h5py.SoftLink("/runs/run0/rho")


def outside_virtual(group: Any) -> None:
    layout = h5py.VirtualLayout((5, 7), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "x", (5, 7), "f4")
    group.create_virtual_dataset("height", layout)


def external_storage(group: Any) -> None:
    group.create_dataset("height", (5, 7), "f4", external=[("secret.h5", 0, 140)])


def pickled(group: Any) -> None:
    group.create_dataset("height", data=np.array([b"cos\nsystem"], object), dtype=h5py.special_dtype(vlen=bytes))


def compound(group: Any) -> None:
    group["height"] = np.zeros((5, 7), [("a", "f4")])


def bomb(group: Any) -> None:
    group.create_dataset("height", (10**6, 10**6), "f4", chunks=(1000, 1000))


@pytest.mark.parametrize(
    "change",
    [external_link, soft_link, outside_virtual, external_storage, pickled, compound, bomb],
    ids=lambda f: f.__name__,
)
def test_hostile_files_are_refused(tmp_path: Path, change: Any) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.full((5, 7), 42, np.float32)
    path = tampered(save(small_project(), tmp_path / "a.eclips"), change)
    with pytest.raises(EclipsError, match="damaged"):
        load(path)


def test_object_arrays_are_not_written(tmp_path: Path) -> None:
    state, arrays = snapshot.state_of([HeightMap("m", "m", np.zeros((2, 2), complex), (1.0, 1.0))])
    with pytest.raises(EclipsError, match="type complex128"):
        project_file.write_project(tmp_path / "a.eclips", state, arrays)
    assert not list(tmp_path.iterdir())


# Versions

SAMPLE = Path(__file__).parents[1] / "compat" / "project-v1.eclips"


def test_first_version_opens() -> None:
    """A frozen file of version 1 of the layout; a change of format must keep it readable."""
    shot = load(SAMPLE)
    kinds = [type(item).__name__ for item in shot.items]
    assert kinds == ["DetectorItem", "SegmentSet", "Run", "HeightMap", "ProfileLine", "Measurement"]
    run = next(item for item in shot.items if isinstance(item, Run))
    expected = next(item for item in small_project() if isinstance(item, Run))
    assert same(run.arrays, expected.arrays)
    assert load_params(Reconstruct, run.params) == load_params(Reconstruct, expected.params)  # it lacks newer fields
    assert shot.selection.line_id == "line"


def test_migrations_run_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    state, arrays = snapshot.to_state(small_project())
    monkeypatch.setitem(snapshot.MIGRATIONS, 0, lambda old: {**old, "version": 1, "items": old["things"]})
    old = {**state, "version": 0, "things": state["items"]}
    del old["items"]
    assert same(list(snapshot.from_state(old, arrays).items), list(small_project()))
    with pytest.raises(EclipsError, match="newer"):
        snapshot.from_state({**state, "version": snapshot.VERSION + 1}, arrays)
    with pytest.raises(EclipsError, match="'runs/run0/height' is missing"):
        snapshot.from_state(state, {k: v for k, v in arrays.items() if k != "runs/run0/height"})


def test_ids_cannot_leave_their_folder(tmp_path: Path) -> None:
    state, arrays = snapshot.state_of([HeightMap("../x", "m", np.zeros((2, 2)), (1.0, 1.0))])
    with pytest.raises(EclipsError, match="no key"):
        project_file.write_project(tmp_path / "a.eclips", state, arrays)


def test_leftovers_of_a_crash_are_removed_once_they_are_old(tmp_path: Path) -> None:
    old, young = (tmp_path / f".a.{n}.part.eclips" for n in ("00000000", "11111111"))
    for left in (old, young):
        left.write_bytes(b"x")
    os.utime(old, (0, 0))
    save(small_project(), tmp_path / "a.eclips")
    assert sorted(p.name for p in tmp_path.iterdir()) == [young.name, "a.eclips"]
