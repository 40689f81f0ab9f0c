"""Builds what users install, with PyInstaller: run by the environment that `launch.py` makes.

.venv/bin/python installer/build.py folder     one folder with everything: build/dist/eclips
.venv/bin/python installer/build.py deb        Debian package of that folder
.venv/bin/python installer/build.py archive    compressed archive of that folder
.venv/bin/python installer/build.py smoke      start the built program on a virtual screen and look at its window
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from eclips_app.version import VERSION  # noqa: E402
from installer.launch import LIBRARIES, WINDOW_LIBRARIES  # noqa: E402

BUILD = ROOT / "build"
FOLDER = BUILD / "dist" / "eclips"

#: Packages whose modules are imported by name at run time, so that PyInstaller cannot see them.
COLLECT = ("eclips_app", "SurfaceTopography", "imagecodecs", "gwyfile", "igor2")
#: Packages whose version the program asks for.
METADATA = ("vtk", "PySide6-Essentials")
EXCLUDE = (
    "tkinter", "_tkinter", "pytest", "hypothesis", "IPython", "sem2surface", "surfalize", "transformers", "mypy", "ruff",
    "triton",
)  # fmt: skip

#: What a running program never opens (globs in the folder's _internal).
TRIM = (
    "torch/test", "torch/include", "torch/share", "torch/bin/*", "matplotlib/mpl-data/sample_data",
    "PySide6/Qt/plugins/platforms/libqeglfs*", "PySide6/Qt/plugins/platforms/libqlinuxfb*",
    "PySide6/Qt/plugins/platforms/libqvnc*", "PySide6/Qt/plugins/platformthemes/libqgtk3*", "PySide6/Qt/translations",
)  # fmt: skip
#: torch refuses to start without it.
KEEP = ("torch_shm_manager",)
#: Libraries of these wheels were patched so that `strip` breaks them.
KEEP_SYMBOLS = ("numpy.libs", "scipy.libs")

#: On newer releases the package has another name.
RENAMED = {"libglib2.0-0": "libglib2.0-0 | libglib2.0-0t64"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["folder", "deb", "archive", "smoke"])
    what = parser.parse_args(arguments).what
    if what == "folder":
        make_folder()
    elif not FOLDER.is_dir():
        parser.error(f"{FOLDER} is not there: build the folder first")
    elif what == "smoke":
        return smoke()
    else:
        print({"deb": make_deb, "archive": make_archive}[what]())
    return 0


def pyinstaller_command() -> list[str]:
    """Give the command that builds the folder."""
    separator = os.pathsep
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--onedir", "--name", "eclips"]
    command += ["--distpath", str(BUILD / "dist"), "--workpath", str(BUILD / "work"), "--specpath", str(BUILD)]
    for name in ("resources", "plugins"):
        if (ROOT / name).is_dir():
            command += ["--add-data", f"{ROOT / name}{separator}{name}"]
    for name in COLLECT:
        command += ["--collect-submodules", name]
    command += ["--collect-data", "SurfaceTopography", "--recursive-copy-metadata", "SurfaceTopography"]
    for name in METADATA:
        command += ["--copy-metadata", name]
    for name in EXCLUDE:
        command += ["--exclude-module", name]
    return [*command, str(ROOT / "eclips_app" / "__main__.py")]


def make_folder() -> None:
    """Build the folder, take out what is not needed, and strip symbols."""
    subprocess.run(pyinstaller_command(), cwd=ROOT, check=True)
    inside = FOLDER / "_internal"
    before = size_mb(FOLDER)
    for path in trimmed(inside):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if sys.platform == "linux" and shutil.which("strip"):
        for library in libraries(inside):
            subprocess.run(["strip", "--strip-unneeded", str(library)], check=False, stderr=subprocess.DEVNULL)
    print(f"{FOLDER}: {size_mb(FOLDER):.0f} MB ({before:.0f} MB before trimming)")


def trimmed(inside: Path) -> Iterator[Path]:
    """Give what is taken out of the folder."""
    for pattern in TRIM:
        yield from [path for path in inside.glob(pattern) if path.name not in KEEP]


def libraries(inside: Path) -> Iterator[Path]:
    """Give the shared libraries that may be stripped."""
    for path in inside.rglob("*.so*"):
        if path.is_file() and not path.is_symlink() and not set(path.parts) & set(KEEP_SYMBOLS):
            yield path


def make_archive() -> Path:
    """Write the folder as a .tar.zst (.tar.xz where zstd is missing, .zip on Windows); gives the path."""
    stem = f"eclips-{VERSION}-{sys.platform}-{platform.machine().lower()}"
    if sys.platform == "win32":
        return Path(shutil.make_archive(str(BUILD / stem), "zip", FOLDER.parent, FOLDER.name))
    if shutil.which("zstd"):
        target = BUILD / f"{stem}.tar.zst"
        command = ["tar", "-I", "zstd -10 -T0", "-cf", str(target), "-C", str(FOLDER.parent), FOLDER.name]
        subprocess.run(command, check=True)
        return target
    target = BUILD / f"{stem}.tar.xz"
    with tarfile.open(target, "w:xz", preset=3) as archive:
        archive.add(FOLDER, FOLDER.name)
    return target


def make_deb() -> Path:
    """Write a Debian package; gives the path."""
    tree = BUILD / "deb"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "opt").mkdir(parents=True)
    shutil.copytree(FOLDER, tree / "opt" / "eclips", symlinks=True, copy_function=os.link)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/eclips").symlink_to("/opt/eclips/eclips")
    _write(tree / "usr/share/applications/eclips.desktop", DESKTOP)
    _write(tree / "usr/share/mime/packages/eclips.xml", MIME)
    icons = tree / "usr/share/icons/hicolor/scalable/apps"
    icons.mkdir(parents=True)
    shutil.copy(ROOT / "resources/icons/eclips.svg", icons / "eclips.svg")
    _write(tree / "DEBIAN/control", control(round(1000 * size_mb(FOLDER))))
    target = BUILD / f"eclips_{VERSION}_{debian_architecture()}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "-b", str(tree), str(target)], check=True)
    shutil.rmtree(tree)
    return target


def control(installed_kb: int) -> str:
    """Give the control file of the Debian package."""
    depends = [RENAMED.get(p, p) for p in (*LIBRARIES.values(), *WINDOW_LIBRARIES.values())]
    return (
        f"Package: eclips\nVersion: {VERSION}\nArchitecture: {debian_architecture()}\nSection: science\nPriority: optional\n"
        f"Maintainer: ECLIPS developers <eclips@localhost>\nInstalled-Size: {installed_kb}\nDepends: {', '.join(depends)}\n"
        "Description: Metrological 3D surfaces from segmented backscattered-electron images\n"
        " Reconstructs calibrated height maps from one scan of a segmented BSE detector,\n"
        " shows them in 3D and measures profiles, steps and angles with their uncertainty.\n"
    )


def debian_architecture() -> str:
    """Give Debian's name of this machine's architecture."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def smoke() -> int:
    """Start the built program's self-test on a virtual screen; 0 if it ends well and its window is not blank."""
    picture = BUILD / "smoke.png"
    picture.unlink(missing_ok=True)
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24"] if sys.platform == "linux" else []
    program = FOLDER / ("eclips.exe" if sys.platform == "win32" else "eclips")
    status = subprocess.call([*screen, str(program), "--selftest", str(picture)], cwd=BUILD)
    colors = count_colors(picture) if picture.is_file() else 0
    print(f"smoke: exit status {status}, {colors} colours in the window's picture {picture}")
    return 0 if status == 0 and colors > 50 else 1


def count_colors(picture: Path) -> int:
    """Count the colours of a picture."""
    from PIL import Image

    with Image.open(picture) as image:
        return len(image.convert("RGB").getcolors(1 << 24) or ())


def size_mb(folder: Path) -> float:
    """Give the size of all files in a folder in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


DESKTOP = """[Desktop Entry]
Type=Application
Name=ECLIPS
Comment=Height maps from segmented backscattered-electron images
Exec=eclips %F
Icon=eclips
Categories=Science;Education;
MimeType=application/x-eclips;image/tiff;
StartupWMClass=eclips
"""

MIME = """<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="application/x-eclips">
    <comment>ECLIPS project</comment>
    <sub-class-of type="application/x-hdf"/>
    <glob pattern="*.eclips"/>
  </mime-type>
</mime-info>
"""

if __name__ == "__main__":
    sys.exit(main())
