"""The step `read-segments`: segment images from files, what is known about them, and the sets they form.

The result holds arrays ``image/0`` … [row, col] in their stored type, and info (JSON):

- ``images``: for each array name, label, acquisition, source (path), page, sha256, warnings;
- ``frames``: lists of image numbers, one list for each frame, in the order of the segments;
- ``name``, ``crop`` (first row, first column, end row, end column), ``data_bar`` (first and end row, or null);
- ``clip_low``, ``clip_high`` (grey values or null), ``clipped_fraction`` of each segment;
- ``pixel_size_nm`` (or null) and ``pixel_size_source``;
- ``azimuths``: for each segment azimuth_deg, confidence, source, guesses; and ``warnings``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, ReadSegments, StepResult
from eclips_app.io.clipping import clip_levels, clipped_fraction, common_levels
from eclips_app.io.databar import find_data_bar, image_rows
from eclips_app.io.grouping import LEAST_SEGMENTS, Grouping, group
from eclips_app.io.guess import guess_azimuths
from eclips_app.io.labels import not_a_segment
from eclips_app.io.readers import RawFile, read_file
from eclips_app.model.items import Acquisition, SegmentImage, SegmentSet, new_id

#: Pixel sizes, energies and the like that differ by more than this part disagree.
_AGREE = 1e-3


def read_step(inputs: Arrays, params: ReadSegments, context: Context) -> StepResult:
    """Read segment images; see the module for what the result holds.

    Raises
    ------
    EclipsError
        If a file cannot be read, or the files do not form sets of three or more segments of one size.
    """
    if not params.paths:
        raise EclipsError("no image files were given", hint="Choose one file for each segment, or a stack.")
    paths, warnings = _segment_paths([Path(p) for p in params.paths])
    files = []
    for number, path in enumerate(paths):
        context.progress(0.8 * number / len(paths), f"Reading {path.name}")
        files.append(read_file(path))
    _check_alike(files)
    grouping = group(files, params.segments)
    used = [at for frame in grouping.frames for at in frame]
    images = [files[f].images[i] for f, i in used]
    context.progress(0.8, "Looking at the images")
    count = len(grouping.frames[0])
    info = _facts(files, grouping, images[:count])
    info["images"] = [_image_info(files[f], i, grouping.labels[n % count]) for n, (f, i) in enumerate(used)]
    info["frames"] = [list(range(k, k + count)) for k in range(0, len(used), count)]
    info["warnings"] = [*warnings, *_about_files(files), *info["warnings"]]
    context.progress(1.0, f"{len(images)} images read")
    return StepResult({f"image/{n}": image for n, image in enumerate(images)}, info)


def sets_from_result(result: StepResult) -> tuple[SegmentSet, ...]:
    """Build the set of images of each frame from the result of the step."""
    images = tuple(result.arrays[f"image/{n}"] for n in range(len(result.info["images"])))
    return build_sets(images, result.info)


def build_sets(images: Sequence[NDArray[Any]], info: Mapping[str, Any]) -> tuple[SegmentSet, ...]:
    """Build the set of images of each frame from arrays [row, col] in the order of ``info["images"]``."""
    frames = info["frames"]
    numbers = [""] if len(frames) == 1 else [f" {k + 1}/{len(frames)}" for k in range(len(frames))]
    return tuple(
        build_set([images[n] for n in frame], {**info, "images": [info["images"][n] for n in frame]}, suffix)
        for frame, suffix in zip(frames, numbers, strict=True)
    )


def build_set(images: Sequence[NDArray[Any]], info: Mapping[str, Any], suffix: str = "") -> SegmentSet:
    """Build one set from its images [row, col] and the info of the step, whose ``images`` are those of this set alone."""
    segments = []
    for data, about in zip(images, info["images"], strict=True):
        data.setflags(write=False)
        acquisition = schema.load(Acquisition, about["acquisition"], about["name"])
        known = (about["name"], data, acquisition, about["source"], about["page"], about["sha256"])
        segments.append(SegmentImage(*known, tuple(about["warnings"])))
    first_row, first_column, end_row, end_column = info["crop"]
    return SegmentSet(
        id=new_id(),
        name=info["name"] + suffix,
        images=tuple(segments),
        pixel_size_nm=info["pixel_size_nm"],
        pixel_size_source=info["pixel_size_source"],
        crop=(first_row, first_column, end_row, end_column),
        clip_low=info["clip_low"],
        clip_high=info["clip_high"],
    )


def _segment_paths(paths: list[Path]) -> tuple[list[Path], list[str]]:
    """Leave out files whose names say that they are no segments, if enough others remain."""
    if len(set(paths)) < len(paths):
        twice = next(p for p in paths if paths.count(p) > 1)
        raise EclipsError("the file was given twice", where=twice.name, hint="Give each segment its own file.")
    reasons = {path: not_a_segment(path) for path in paths}
    kept = [path for path in paths if not reasons[path]]
    if len(kept) < LEAST_SEGMENTS:
        return paths, []
    return kept, [f"{path.name} was left out: by its name it is {why}" for path, why in reasons.items() if why]


def _check_alike(files: Sequence[RawFile]) -> None:
    """Refuse files whose images differ in size or type from those of most files."""
    kinds = [(file.images[0].shape, file.images[0].dtype) for file in files]
    usual = max(kinds, key=kinds.count)
    other = files[kinds.index(usual)]
    for file, (shape, dtype) in zip(files, kinds, strict=True):
        name = file.path.name
        if shape != usual[0]:
            sizes = _size(file.images[0]), _size(other.images[0])
            raise EclipsError(
                f"has {sizes[0]} pixels, but {other.path.name} has {sizes[1]}", where=name, hint=_ONE_SCAN
            )
        if dtype != usual[1]:
            raise EclipsError(
                f"holds {dtype} values, but {other.path.name} holds {usual[1]}", where=name, hint=_ONE_SCAN
            )


_ONE_SCAN = "Give images of one scan, exported in the same way."


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def _facts(files: Sequence[RawFile], grouping: Grouping, images: Sequence[NDArray[Any]]) -> dict[str, Any]:
    """Find crop, clipping, pixel size and azimuths from the first frame's images."""
    frame = grouping.frames[0]
    first, end, bar = _rows(files, frame, images)
    inside = [image[first:end] for image in images]
    low, high = common_levels([clip_levels(image) for image in inside])
    metadata_labels = [files[f].acquisitions[i].segment or "" for f, i in frame]
    guesses = guess_azimuths(inside, metadata_labels, grouping.labels)
    pixel_size_nm, warnings = _pixel_size_nm(files)
    if low is not None or high is not None:
        fractions = [clipped_fraction(image, low, high) for image in inside]
    else:
        fractions = [0.0] * len(inside)
    return {
        "name": _set_name([files[f].path for f, _ in frame]),
        "crop": [first, 0, end, images[0].shape[1]],
        "data_bar": list(bar) if bar else None,
        "clip_low": low,
        "clip_high": high,
        "clipped_fraction": fractions,
        "pixel_size_nm": pixel_size_nm,
        "pixel_size_source": "metadata" if pixel_size_nm is not None else "",
        "azimuths": guesses.to_json(),
        "warnings": [*warnings, *guesses.warnings],
    }


def _rows(
    files: Sequence[RawFile], frame: Sequence[tuple[int, int]], images: Sequence[NDArray[Any]]
) -> tuple[int, int, tuple[int, int] | None]:
    """Give the rows that are image in all segments, and those of the data bar."""
    total = images[0].shape[0]
    first, end, bar = 0, total, None
    for (f, _), image in zip(frame, images, strict=True):
        stated = files[f].image_shape
        found = (stated[0], total) if stated and stated[0] < total else None if stated else find_data_bar(image)
        rows = image_rows(image, found)
        first, end, bar = max(first, rows[0]), min(end, rows[1]), found or bar
    return (first, end, bar) if end - first >= total // 2 else (0, total, bar)


def _pixel_size_nm(files: Sequence[RawFile]) -> tuple[float | None, list[str]]:
    """Take the pixel size that the files state; none if they disagree."""
    stated = {file.path.name: a.pixel_size_nm for file in files for a in file.acquisitions[:1] if a.pixel_size_nm}
    warnings = []
    for what, values in (
        ("beam energies", {f.path.name: f.acquisitions[0].energy_kev for f in files}),
        ("scan rotations", {f.path.name: f.acquisitions[0].scan_rotation_deg for f in files}),
    ):
        warnings += _disagreement(what, values)
    found = _disagreement("pixel sizes (nm)", dict(stated))
    if found:
        return None, [*warnings, found[0] + "; none of them is used"]
    return next(iter(stated.values()), None), warnings


def _disagreement(what: str, values: Mapping[str, float | None]) -> list[str]:
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return []
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    if known[high] - known[low] <= _AGREE * max(abs(known[high]), abs(known[low]), 1e-9):
        return []
    return [f"the files state different {what}: {known[low]:.6g} in {low}, {known[high]:.6g} in {high}"]


def _about_files(files: Sequence[RawFile]) -> list[str]:
    """Join equal warnings of several files to one sentence each."""
    about: dict[str, list[str]] = {}
    for file in files:
        for warning in file.warnings:
            about.setdefault(warning, []).append(file.path.name)
    return [f"{names[0] if len(names) == 1 else f'{len(names)} files'}: {warning}" for warning, names in about.items()]


def _image_info(file: RawFile, index: int, label: str) -> dict[str, Any]:
    acquisition = file.acquisitions[index]
    page = f" {index + 1}" if len(file.images) > 1 else ""
    name = label or acquisition.segment or (file.names[index] if file.names else file.path.stem + page)
    return {
        "name": name,
        "label": label or acquisition.segment or "",
        "acquisition": {key: value for key, value in asdict(acquisition).items() if value is not None},
        "source": str(file.path),
        "page": index,
        "sha256": file.sha256,
        "warnings": list(file.warnings),
    }


def _set_name(paths: Sequence[Path]) -> str:
    """Name a set by what its files' names have in common, or by their folder."""
    stems = sorted({path.stem for path in paths})
    common = next((i for i, (a, b) in enumerate(zip(stems[0], stems[-1], strict=False)) if a != b), len(stems[0]))
    name = stems[0] if len(stems) == 1 else stems[0][:common].rstrip("_-. ")
    return name if len(name) > 2 else paths[0].resolve().parent.name or stems[0]
