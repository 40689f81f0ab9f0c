from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eclips_app.scene3d import probe


def test_the_answer_is_kept_and_asked_again_when_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawing: probe.Drawing
) -> None:
    kept = tmp_path / "cache" / "drawing.json"
    tests: list[float] = []

    def try_all(timeout_s: float) -> probe.Drawing:
        tests.append(timeout_s)
        return drawing

    monkeypatch.setattr(probe, "try_all", try_all)
    assert probe.drawing(kept) == drawing
    assert probe.drawing(kept) == drawing
    assert len(tests) == 1
    monkeypatch.setenv("DISPLAY", ":77")
    probe.drawing(kept)
    assert len(tests) == 2
    kept.write_text("{", encoding="utf-8")
    probe.drawing(kept)
    assert len(tests) == 3
    assert json.loads(kept.read_text(encoding="utf-8"))["drawing"]["works"] is True


def test_a_failure_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "try_all", lambda timeout_s: probe.Drawing(False, "no driver", {}))
    assert not probe.drawing(tmp_path / "drawing.json").works
    assert not (tmp_path / "drawing.json").exists()


def test_a_way_that_hangs_or_dies_is_a_reason_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    works, text = probe._try({}, timeout_s=0.0)
    assert not works
    assert "no picture within 0 s" in text
    works, text = probe._try({"LD_PRELOAD": "", "VTK_DEFAULT_OPENGL_WINDOW": "vtkNoSuchWindow"}, timeout_s=20.0)
    assert isinstance(works, bool)
    assert text


def test_software_is_recognised() -> None:
    assert probe.Drawing(True, "vtkEGLRenderWindow: llvmpipe (LLVM 15.0.6, 256 bits)", {}).is_software
    assert not probe.Drawing(True, "vtkXOpenGLRenderWindow: NVIDIA RTX A2000/PCIe/SSE2", {}).is_software


def test_nothing_of_vtk_is_loaded_by_asking() -> None:
    code = (
        "import sys; from eclips_app.scene3d import probe, colormaps, lod, pick, arrays, camera, lighting; "
        "print([m for m in sys.modules if m.startswith('vtkmodules')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert result.stdout.strip() == "[]"
