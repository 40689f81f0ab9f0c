"""Options of `eclips calibrate` that say what was observed, and the reading of the images."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.common import length_nm, numbers, warn
from eclips_app.cli.segment_images import Preparation, add_preparation, prepared, read_sets
from eclips_app.core.calibration import KINDS, Dark, Facets, Flat, Heights, Indent, Observation, Sphere
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadHeightMap, run_step
from eclips_app.core.units import format_length
from eclips_app.metrology.map_pixels import on_pixels
from eclips_app.model.acquisition import acquisition_of
from eclips_app.model.items import HeightMap, SegmentSet, new_id

_FILES = "one file that holds all segments, or one for each in the order of the detector file; "
_SERIES = "the last file of each set of images ends in"


@dataclass(frozen=True)
class Source:
    """Files of one observation, with what the command line says of it."""

    kind: str  #: a key of `KINDS`
    paths: tuple[Path, ...]
    about: dict[str, Any] = field(default_factory=dict)  #: fields of `Observation`
    label: str = ""  #: what tells it from others of its series
    map_path: Path | None = None  #: of an AFM map


@dataclass(frozen=True, eq=False)
class Observed:
    """An observation with its arrays."""

    observation: Observation
    arrays: dict[str, NDArray[Any]]  #: segments [k, row, col], where there are any exclude and heights [row, col]


def add_observations(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group("observations (each may be given several times)", f"FILES: {_FILES[:-2]}.")

    def files(option: str, what: str, metavar: Any = "FILES", kind: Callable[[str], Any] = Path) -> None:
        group.add_argument(option, nargs="+", action="append", default=[], type=kind, metavar=metavar, help=what)

    def number(option: str, default: float, what: str) -> None:
        group.add_argument(option, type=float, default=default, metavar="N", help=f"{what}; default {default:g}")

    files("--vickers", "imprint of a Vickers indenter")
    number("--face-tilt", 22.0, "tilt of its faces in degrees")
    number("--face-std", 0.1, "how well that is known")
    files("--sphere", "a ball or a cap of one")
    group.add_argument(
        "--radius", type=length_nm, action="append", default=[], help="of the sphere; once for each, or for all"
    )
    number("--radius-std", 1.0, "how well the radius is known, in percent")
    files("--flat", "an even area of one material")
    files(
        "--tilt-series", f"a flat at several stage tilts: {_SERIES} @X or @X,Y, degrees about x, y", "FILES@TILT", str
    )
    number("--stage-std", 1.0, "how well stage tilts are known, in degrees")
    files("--current-series", f"an area at several beam currents: {_SERIES} @CURRENT, relative", "FILES@CURRENT", str)
    files("--facets", "areas of one certified tilt, found in the images")
    number("--tilt", 54.74, "certified tilt of the facets in degrees")
    number("--tilt-std", 0.2, "how well that is known")
    files("--afm", "a height map, then the images of the same place", ("MAP", "FILES"))
    group.add_argument(
        "--afm-at", type=numbers, metavar="COL,ROW[,DEG]",
        help="where in the image the map's middle lies, and its rotation; default: the middle of the crop",
    )  # fmt: skip
    files("--dark", "images without beam")
    images = parser.add_argument_group("images (of all observations)")
    add_preparation(images)


def sources_of(args: argparse.Namespace) -> list[Source]:
    """Give what was observed, in a fixed order.

    Raises
    ------
    EclipsError
        Nothing was, or files and numbers do not go together.
    """
    spheres = [Sphere(radius_nm=r, radius_std_percent=args.radius_std) for r in _radii(args.radius, len(args.sphere))]
    indent = Indent(face_deg=args.face_tilt, face_std_deg=args.face_std)
    facets = Facets(tilt_deg=args.tilt, tilt_std_deg=args.tilt_std)
    found = [Source("sphere", tuple(f), {"sphere": s}) for f, s in zip(args.sphere, spheres, strict=True)]
    found += [Source("indent", tuple(files), {"indent": indent}) for files in args.vickers]
    found += [Source("flat", tuple(files), {"flat": Flat()}) for files in args.flat]
    found += _tilted(args)
    found += _currents(args)
    found += [Source("facets", tuple(files), {"facets": facets}) for files in args.facets]
    for first, *files in args.afm:
        if not files:
            raise EclipsError(
                "--afm needs the images beside the map", where=str(first), hint="Give MAP and then the images."
            )
        found.append(Source("heights", tuple(files), {"heights": Heights()}, map_path=first))
    found += [Source("dark", tuple(files), {"dark": Dark()}) for files in args.dark]
    if all(each.kind == "dark" for each in found):
        what = "dark frames alone show no slope" if found else "no observation was given"
        raise EclipsError(what, hint="Give an object of known shape, such as --sphere, --vickers, --flat or --afm.")
    return found


def files_of(sources: Sequence[Source]) -> list[Path]:
    """Give all files that are read."""
    maps = [each.map_path for each in sources if each.map_path is not None]
    return [path for each in sources for path in each.paths] + maps


def observe(source: Source, args: argparse.Namespace, detector: Detector, context: Context) -> Observed:
    """Read the images of one observation.

    Raises
    ------
    EclipsError
        A file cannot be read, holds several frames or not one image for each segment, or nobody says the pixel size.
    """
    sets = read_sets(source.paths, detector, context)
    if len(sets) != 1:
        raise EclipsError(f"{len(sets)} frames stand where one is expected", where=sets[0].name, hint="Give one frame.")
    segments = prepared(sets[0], _preparation(sets[0], source, args), context)
    arrays = {"segments": np.stack([image.data for image in segments.images])}
    if segments.exclude is not None:
        arrays["exclude"] = segments.exclude
    files = {image.source: image.sha256 for image in segments.images}  # a stack counts once
    if source.map_path is not None:
        arrays["heights"], files[str(source.map_path)] = _heights(source.map_path, segments, args.afm_at, context)
    observation = Observation(
        name=f"{KINDS[source.kind]}{source.label}: {segments.name}", pixel_size_nm=segments.pixel_size_nm or 1.0,
        crop=segments.crop, shifts_px=segments.shifts_px, clip_low=segments.clip_low, clip_high=segments.clip_high,
        acquisition=acquisition_of(segments), sources=tuple(files), sha256=tuple(files.values()),
        **source.about,
    )  # fmt: skip
    return Observed(observation, arrays)


def _preparation(segments: SegmentSet, source: Source, args: argparse.Namespace) -> Preparation:
    """Take the pixel size that the images say; that of dark frames does not matter."""
    said, given = segments.pixel_size_nm, args.pixel_size
    if said and given and abs(given / said - 1) > 0.01:
        text = f"{segments.name}: the images say a pixel size of {format_length(said)}, which goes before --pixel-size"
        warn(text)
    dark = source.kind == "dark"
    return Preparation(None if said else given or (1.0 if dark else None), args.crop, args.register and not dark)


def _radii(given: Sequence[float], count: int) -> list[float | None]:
    if given and not count:
        raise EclipsError("--radius belongs to --sphere", hint="Give the images of the sphere.")
    if len(given) > 1 and len(given) != count:
        raise EclipsError(
            f"{len(given)} radii for {count} spheres", hint="Give --radius once for each, or once for all."
        )
    return list(given) if len(given) > 1 else [given[0] if given else None] * count


def _tilted(args: argparse.Namespace) -> Iterator[Source]:
    for files, tilt in _marked(args.tilt_series, "--tilt-series"):
        if len(tilt) > 2:
            raise EclipsError(
                "more than two tilts", where=files[-1].name, hint="Give @X or @X,Y, in degrees about x and y."
            )
        about = {"flat": Flat(), "tilt_deg": (tilt[0], tilt[1] if len(tilt) > 1 else 0.0), "series": "tilts"}
        label = f" tilted {', '.join(f'{each:g}°' for each in tilt)}"
        yield Source("flat", files, {**about, "tilt_std_deg": args.stage_std}, label)


def _currents(args: argparse.Namespace) -> Iterator[Source]:
    for files, current in _marked(args.current_series, "--current-series"):
        if len(current) != 1 or current[0] <= 0:
            raise EclipsError("a beam current is one number above zero", where=files[-1].name, hint="Give it as @0.5.")
        yield Source(
            "flat", files, {"flat": Flat(), "current": current[0], "series": "currents"}, f" at {current[0]:g}"
        )


def _marked(given: Sequence[Sequence[str]], option: str) -> Iterator[tuple[tuple[Path, ...], tuple[float, ...]]]:
    """Split a series into sets of files, the last of each with ``@`` and numbers."""
    for words in given:
        files: list[Path] = []
        for word in words:
            name, _, mark = word.rpartition("@")
            values = _floats(mark) if name else ()
            files.append(Path(name if values else word))
            if values:
                yield tuple(files), values
                files = []
        if files:
            hint = "End the last file of each set of images in @ and its number, such as flat5.tif@5."
            raise EclipsError(f"a set of images of {option} has no number", where=files[-1].name, hint=hint)


def _floats(text: str) -> tuple[float, ...]:
    try:
        return numbers(text)
    except argparse.ArgumentTypeError:
        return ()


def _heights(
    path: Path, segments: SegmentSet, at: Sequence[float] | None, context: Context
) -> tuple[NDArray[np.float64], str]:
    """Read an AFM map and give it on the pixels of the images, with its hash; a plain file has the pixel size of the images."""
    size = segments.pixel_size_nm or 1.0
    read = run_step("read-height-map", {}, ReadHeightMap(str(path), unit="nm", pixel_size_nm=(size, size)), context)
    if at is not None and len(at) not in (2, 3):
        raise EclipsError("--afm-at takes two or three numbers", hint="Give COL,ROW or COL,ROW,DEG.")
    rows, columns = segments.shape
    first_row, first_column, end_row, end_column = segments.crop if any(segments.crop) else (0, 0, rows, columns)
    middle = ((first_column + end_column - 1) / 2, (first_row + end_row - 1) / 2)
    column, row, rotation = (*(at or middle), 0.0)[:3]
    x, y = read.info["pixel_size_nm"]
    placed = HeightMap(
        new_id(), path.name, read.arrays["height"], (x, y), str(path), center_px=(column, row), rotation_deg=rotation
    )
    heights = on_pixels(placed, segments.shape, size)
    if not np.isfinite(heights).any():
        raise EclipsError("the map does not lie on the images", where=path.name, hint="Check --afm-at.")
    return heights, str(read.info["sha256"])
