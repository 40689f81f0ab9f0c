"""Plugins are found without running their code, used by suffix, and cost nobody anything when they fail."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from eclips_app.core.context import SilentContext
from eclips_app.core.steps import Export, ReadSegments
from eclips_app.io.export import export_step, formats
from eclips_app.io.segments import read_step
from eclips_app.plugin_api import registry

GOOD = """
class Exporter:
    name = "Nothing"
    suffixes = (".nothing",)
    def write(self, path, surface, context):
        path.write_text(f"{surface.title} {surface.height.shape}")
class Reader:
    name = "Text stack"
    suffixes = (".stack",)
    def sniff(self, path):
        return float(path.read_bytes()[:5] == b"STACK")
    def read_segments(self, path):
        import numpy as np
        from eclips_app.model.items import SegmentImage
        rows, columns = np.mgrid[:32, :32]
        return tuple(SegmentImage(name, (100 + 2 * x * columns + 2 * y * rows).astype(np.uint16))
                     for name, x, y in (("E", 1, 0), ("N", 0, -1), ("W", -1, 0), ("S", 0, 1)))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of plugins in the place of the program's and the user's."""
    monkeypatch.setattr(registry, "plugin_folders", lambda: (tmp_path,))
    registry.forget()
    yield tmp_path
    registry.forget()
    for name in [name for name in sys.modules if name.startswith("eclips_plugin_t_")]:
        del sys.modules[name]


def plugin(folder: Path, name: str, manifest: str, code: str) -> Path:
    package = folder / name
    package.mkdir()
    (package / "plugin.toml").write_text(manifest)
    (package / "__init__.py").write_text(code)
    return package


def export(path: Path) -> None:
    export_step({"height": np.ones((4, 5), np.float32)}, Export(str(path), 2.0, "Flat"), SilentContext())


def test_code_is_imported_on_first_use_only(folder: Path, tmp_path: Path) -> None:
    plugin(folder, "t_good", '[exporters]\nNothing = "t_good:Exporter"', GOOD)
    assert formats()[".nothing"] == "NOTHING (t_good)"
    assert "eclips_plugin_t_good" not in sys.modules
    export(tmp_path / "a.nothing")
    assert "eclips_plugin_t_good" in sys.modules
    assert (tmp_path / "a.nothing").read_text() == "Flat (4, 5)"


def test_reader_plugin_serves_read_segments(folder: Path, tmp_path: Path) -> None:
    plugin(folder, "t_read", '[readers]\nstack = "t_read:Reader"', GOOD)
    path = tmp_path / "a.stack"
    path.write_bytes(b"STACK of things")
    result = read_step({}, ReadSegments((str(path),)), SilentContext())
    assert [image["name"] for image in result.info["images"]] == ["E", "N", "W", "S"]
    assert result.arrays["image/0"].shape == (32, 32)
    path.write_bytes(b"something else")
    assert registry.segment_reader_for(path) is None
    assert registry.failed() == ()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise RuntimeError('out of order')", "RuntimeError: out of order"),
        ("import no_such_module_at_all", "No module named"),
        ("class Other: ...", "has no attribute 'Exporter'"),
        ("class Exporter: name = 'x'", "has not all"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_failing_plugin_is_listed_and_skipped(folder: Path, tmp_path: Path, code: str, message: str) -> None:
    package = plugin(folder, "t_bad", '[exporters]\nnothing = "t_bad:Exporter"', code)
    plugin(folder, "t_good", '[exporters]\nnothing = "t_good:Exporter"', GOOD)
    export(tmp_path / "a.nothing")  # the next one serves
    (bad,) = registry.failed()
    assert bad.source == str(package)
    assert message in bad.message
    assert "Traceback" in bad.traceback


def test_damaged_manifest_is_listed(folder: Path) -> None:
    plugin(folder, "t_toml", "[exporters\n", "")
    plugin(folder, "t_good", '[exporters]\nnothing = "t_good:Exporter"', GOOD)
    assert ".nothing" in formats()
    assert "TOMLDecodeError" in registry.failed()[0].message


def test_reader_that_raises_while_sniffing_is_skipped(folder: Path, tmp_path: Path) -> None:
    code = GOOD.replace("return float(", "return 1 / 0 + float(")
    plugin(folder, "t_sniff", '[readers]\nstack = "t_sniff:Reader"', code)
    path = tmp_path / "a.stack"
    path.write_bytes(b"STACK")
    assert registry.segment_reader_for(path) is None
    assert "ZeroDivisionError" in registry.failed()[0].message


def test_entry_points_of_installed_packages_are_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "t_installed.py").write_text(GOOD)
    info = site / "t_installed-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: t-installed\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[eclips.exporters]\nnothing = t_installed:Exporter\n")
    monkeypatch.syspath_prepend(str(site))
    registry.forget()
    assert registry.exporter_suffixes() == {".nothing": "t-installed 1.2"}
    assert "t_installed" not in sys.modules
    export(tmp_path / "a.nothing")
    assert (tmp_path / "a.nothing").exists()


# The plugins that come with the program


def test_shipped_plugins_work() -> None:
    registry.forget()
    for entry in registry.entries():
        assert registry._load(entry) is not None
    assert registry.failed() == ()
    assert {".x3p"} <= set(registry.exporter_suffixes())


def test_x3p_has_the_parts_and_checksums_of_the_standard(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "a.x3p"
    height = np.arange(20, dtype=np.float32).reshape(4, 5)
    height[1, 2] = np.nan
    export_step({"height": height}, Export(str(path), 2.0, "Ramp"), SilentContext())
    with zipfile.ZipFile(path) as archive:
        record = archive.read("main.xml")
        data = archive.read("bindata/data.bin")
        assert archive.read("md5checksum.hex").decode().split()[0] == hashlib.md5(record).hexdigest()
    root = Xml.fromstring(record)
    assert root.tag == "{http://www.opengps.eu/2008/ISO5436_2}ISO5436_2"
    assert root.findtext("Record3/DataLink/MD5ChecksumPointData") == hashlib.md5(data).hexdigest()
    assert float(root.findtext("Record1/Axes/CX/Increment", "")) == pytest.approx(2e-9)
    values = np.frombuffer(data, "<f8").reshape(4, 5)
    assert np.allclose(values * 1e9, height, equal_nan=True)


def test_numpy_stacks_are_read_as_segments(tmp_path: Path) -> None:
    registry.forget()
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 255, (4, 40, 40)).astype(np.uint8)
    np.save(tmp_path / "a.npy", stack)
    result = read_step({}, ReadSegments((str(tmp_path / "a.npy"),)), SilentContext())
    assert all(np.array_equal(result.arrays[f"image/{k}"], stack[k]) for k in range(4))
