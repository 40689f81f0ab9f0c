"""What goes into the installers; nothing is built."""

from __future__ import annotations

import itertools

import pytest
from PIL import Image

from installer import build


@pytest.fixture
def inside(tmp_path):
    names = [
        "torch/bin/torch_shm_manager", "torch/bin/protoc", "torch/bin/test_api", "torch/lib/libtorch_cpu.so", "torch/test/a.py",
        "torch/include/a.h", "numpy.libs/libopenblas.so.0", "PySide6/Qt/plugins/platforms/libqxcb.so",
        "PySide6/Qt/plugins/platforms/libqeglfs.so",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def test_trimming_keeps_what_is_needed_to_run(inside):
    gone = {path.relative_to(inside).as_posix() for path in build.trimmed(inside)}
    assert gone == {
        "torch/test", "torch/include", "torch/bin/protoc", "torch/bin/test_api", "PySide6/Qt/plugins/platforms/libqeglfs.so",
    }  # fmt: skip


def test_libraries_that_break_are_not_stripped(inside):
    names = {path.name for path in build.libraries(inside)}
    assert names == {"libtorch_cpu.so", "libqxcb.so", "libqeglfs.so"}


def test_the_package_depends_on_the_window_libraries():
    fields = dict(line.split(": ", 1) for line in build.control(1234).splitlines() if not line.startswith(" "))
    assert {"libxcb-icccm4", "libegl1", "libglib2.0-0 | libglib2.0-0t64"} <= set(fields["Depends"].split(", "))
    assert fields["Installed-Size"] == "1234"
    assert fields["Version"] == build.VERSION


def test_steps_are_collected_because_they_are_imported_by_name():
    command = build.pyinstaller_command()
    assert ("--collect-submodules", "eclips_app") in itertools.pairwise(command)
    assert any(word.endswith("resources") for word in command)


def test_a_blank_picture_has_one_colour(tmp_path):
    Image.new("RGB", (20, 10), "grey").save(tmp_path / "a.png")
    assert build.count_colors(tmp_path / "a.png") == 1
