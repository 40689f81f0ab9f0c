"""Deciding what a list of files is: one file for each segment, a stack, or a time series of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclips_app.core.errors import EclipsError
from eclips_app.io.labels import label_texts, natural_key, numbers_and_labels
from eclips_app.io.readers import RawFile

LEAST_SEGMENTS, MOST_SEGMENTS = 3, 8
_ASK = "Give the number of segments, or the files of one scan at a time."


@dataclass(frozen=True)
class Grouping:
    """Frames of (file index, image index within the file), and the label of each segment that the names give."""

    frames: tuple[tuple[tuple[int, int], ...], ...]
    labels: tuple[str, ...]


def group(files: Sequence[RawFile], segments: int = 0) -> Grouping:
    """Group images into frames of segments.

    Parameters
    ----------
    files : sequence of RawFile
        In the order given, which is the order of the detector's segments.
    segments : int
        Number of segments; 0 to find out.

    Raises
    ------
    EclipsError
        If there are too few or too many images, or several ways to read them.
    """
    layouts = {file.layout for file in files}
    names = [file.path.stem for file in files]
    if layouts == {()}:
        return _single_images(names, segments)
    if len(layouts) > 1:
        first = files[0]
        other = next(f for f in files if f.layout != first.layout)
        raise EclipsError(
            f"holds {_count(other)} while {first.path.name} holds {_count(first)}", where=other.path.name, hint=_ASK
        )
    layout = files[0].layout
    if len(layout) > 2:
        raise EclipsError(f"has {len(layout)} axes besides rows and columns", where=files[0].path.name, hint=_ASK)
    if len(files) == 1:
        return _one_stack(files[0], segments)
    if len(layout) == 2:
        raise EclipsError(f"{len(files)} files are time series by themselves", where=files[0].path.name, hint=_ASK)
    return _several_stacks(names, layout[0], segments)


def _count(file: RawFile) -> str:
    return "one image" if not file.layout else f"{len(file.images)} images"


def _fits(count: int, segments: int) -> bool:
    return count == segments if segments else LEAST_SEGMENTS <= count <= MOST_SEGMENTS


def _single_images(names: Sequence[str], segments: int) -> Grouping:
    count = len(names)
    grid = numbers_and_labels(names)
    if grid is not None and _fits(len(set(grid[1])), segments):
        return _from_grid(*grid)
    if _fits(count, segments):
        return Grouping((tuple((k, 0) for k in range(count)),), label_texts(names))
    if count < LEAST_SEGMENTS:
        noun = "image is" if count == 1 else "images are"
        raise EclipsError(f"{count} {noun} too few: slopes need three or more segments", hint="Add the other segments.")
    if segments and count % segments == 0:
        order = sorted(range(count), key=lambda i: natural_key(names[i]))
        frames = tuple(tuple((i, 0) for i in order[k : k + segments]) for k in range(0, count, segments))
        return Grouping(frames, label_texts([names[i] for i, _ in frames[0]]))
    raise EclipsError(f"how {count} images belong together cannot be told from their names", hint=_ASK)


def _from_grid(numbers: tuple[int, ...], labels: tuple[str, ...]) -> Grouping:
    order = tuple(dict.fromkeys(labels))
    place = {key: i for i, key in enumerate(zip(numbers, labels, strict=True))}
    frames = tuple(tuple((place[number, label], 0) for label in order) for number in sorted(set(numbers)))
    return Grouping(frames, order)


def _one_stack(file: RawFile, segments: int) -> Grouping:
    count = len(file.images)
    if len(file.layout) == 2:
        frames, per_frame = file.layout
        if _fits(per_frame, segments):
            return _pages(frames, per_frame, ("",) * per_frame)
        if _fits(frames, segments):  # segments stand before frames
            rows = tuple(tuple((0, k * per_frame + t) for k in range(frames)) for t in range(per_frame))
            return Grouping(rows, ("",) * frames)
    elif _fits(count, segments):
        return _pages(1, count, file.names or ("",) * count)
    elif segments and count % segments == 0:
        return _pages(count // segments, segments, ("",) * segments)
    if count < LEAST_SEGMENTS:
        raise EclipsError(f"holds {count} images, but slopes need three or more segments", where=file.path.name)
    raise EclipsError(
        f"which of its {count} images are segments of one frame is not stated", where=file.path.name, hint=_ASK
    )


def _pages(frames: int, segments: int, labels: tuple[str, ...]) -> Grouping:
    return Grouping(tuple(tuple((0, t * segments + k) for k in range(segments)) for t in range(frames)), labels)


def _several_stacks(names: Sequence[str], pages: int, segments: int) -> Grouping:
    labels = label_texts(names)
    one_for_each_segment = _fits(len(names), segments) and (all(labels) or not _fits(pages, segments))
    if one_for_each_segment:
        return Grouping(tuple(tuple((k, t) for k in range(len(names))) for t in range(pages)), labels)
    if _fits(pages, segments):
        order = sorted(range(len(names)), key=lambda i: natural_key(names[i]))
        return Grouping(tuple(tuple((i, k) for k in range(pages)) for i in order), ("",) * pages)
    raise EclipsError(f"how {len(names)} files of {pages} images belong together is not stated", hint=_ASK)
