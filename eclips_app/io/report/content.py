"""What a report is made of: sections of blocks that both the PDF and the HTML know how to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

#: Draws into Matplotlib axes that have the block's size.
Draw = Callable[[Any], None]


@dataclass(frozen=True)
class Text:
    """A paragraph; `kind` is "plain", "note" (small), "alert" or "code"."""

    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Pairs:
    """Rows of a word and what there is to say of it; `mono` for hashes."""

    rows: tuple[tuple[str, str], ...]
    mono: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table: heading, share of the width, and whether its cells are numbers set to the right."""

    title: str
    share: float
    right: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the last column may wrap."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A figure true to size; `kind` is "map" (an image with its scale inside) or "diagram" (axes with labels)."""

    caption: str
    draw: Draw
    width_mm: float
    height_mm: float
    kind: str = "map"


Block = Text | Pairs | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Content:
    """A whole report."""

    title: str
    subtitle: str
    footer: str
    sections: tuple[Section, ...]
    dpi: int = 300
