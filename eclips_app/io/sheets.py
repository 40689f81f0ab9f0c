"""Sheets of paper (A4) that fill up from top to bottom with headings, text, tables and diagrams, written as PDF.

Lengths are in mm from the top left corner. Texts are drawn as they are: no character has a meaning of its own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from eclips_app.io.atomic import whole_file

WIDTH, HEIGHT = 210.0, 297.0
LEFT, RIGHT, TOP, BOTTOM = 22.0, 188.0, 20.0, 277.0
INK, FAINT, ALERT = "#1c1f26", "#5d6470", "#a65b00"
_MM_PER_INCH, _MM_PER_POINT = 25.4, 25.4 / 72
_LINE = 1.42  #: distance of lines in font sizes
_GLYPH = {"sans": 0.535, "mono": 0.602}  #: mean width of a character in font sizes
_STYLE: dict[Any, object] = {
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "axes.unicode_minus": True,
}
_TOGETHER = 4  #: lines at the start of a paragraph that stay on one sheet
_FONTS = {"sans": "DejaVu Sans", "mono": "DejaVu Sans Mono"}


@dataclass(frozen=True)
class Column:
    """A column of a table: heading, left edge in mm from the margin, and whether it is set to the right of that."""

    title: str
    at: float
    right: bool = False


class Sheets:
    """Sheets being filled; a new one begins where the last has no room."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self._y = BOTTOM

    def heading(self, text: str, *, keep: float = 14.0) -> None:
        """Write a heading, with room for `keep` mm below it."""
        self._room(9.0 + keep)
        if self._y > TOP:
            self._y += 3.5
        self._write(LEFT, text, 10.5, weight="bold")
        self._y += 6.0

    def title(self, text: str, size: float) -> None:
        """Write a line in large letters."""
        self._room(size * _MM_PER_POINT * _LINE)
        self._write(LEFT, text, size, weight="light")
        self._y += size * _MM_PER_POINT * _LINE

    def text(self, text: str, size: float = 8.5, *, color: str = INK, indent: float = 0.0, font: str = "sans") -> None:
        """Write a paragraph, wrapped to the width of the sheet."""
        lines = _wrapped(text, RIGHT - LEFT - indent, size, font)
        self._room(_lines_mm(min(len(lines), _TOGETHER), size))
        for line in lines:
            self._room(size * _MM_PER_POINT * _LINE)
            self._write(LEFT + indent, line, size, color=color, font=font)
            self._y += size * _MM_PER_POINT * _LINE
        self._y += 0.8

    def pairs(
        self, rows: Sequence[tuple[str, str]], size: float = 8.5, indent: float = 46.0, font: str = "sans"
    ) -> None:
        """Write rows of a word and what there is to say of it, those without a text left out."""
        for word, text in rows:
            if text:
                self._room(_lines_mm(1, size))
                self._write(LEFT, word, size, color=FAINT)
                self.text(text, size, indent=indent, font=font)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]], size: float = 8.0) -> None:
        """Write a table; its head is repeated on a new sheet, and the last column is wrapped."""
        self._head(columns, size)
        last = RIGHT - LEFT - columns[-1].at
        for row in rows:
            wrapped = [row[-1]] if columns[-1].right else _wrapped(row[-1], last, size, "sans") or [""]
            if self._room(_lines_mm(len(wrapped), size)):
                self._head(columns, size)
            for column, cell in zip(columns[:-1], row[:-1], strict=True):
                self._cell(column, cell, size)
            for line in wrapped:
                self._cell(columns[-1], line, size)
                self._y += size * _MM_PER_POINT * _LINE
            self._y += 0.6
        self._rule()

    def diagram(self, height: float) -> Axes:
        """Give axes as wide as the text, `height` mm high with their labels."""
        self._room(height)
        left, bottom = LEFT + 13.0, self._y + height - 11.0
        box = (left / WIDTH, 1 - bottom / HEIGHT, (RIGHT - left) / WIDTH, (height - 13.0) / HEIGHT)
        axes = self.figures[-1].add_axes(box)
        axes.tick_params(labelsize=7.5, color=FAINT, labelcolor=INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        self._y += height
        return axes

    def picture(self, width: float, height: float, caption: str) -> Axes:
        """Give axes of exactly `width` x `height` mm with a caption below; what is taller than a sheet is made smaller."""
        most = BOTTOM - TOP - 12.0
        if height > most:
            width, height = width * most / height, most
        self._room(height + 7.0)
        axes = self.figures[-1].add_axes(
            (LEFT / WIDTH, 1 - (self._y + height) / HEIGHT, width / WIDTH, height / HEIGHT)
        )
        self._y += height + 1.5
        self.text(caption, 7.5, color=FAINT)
        return axes

    def finish(self, footer: str) -> None:
        """Write a footer and the number of the sheet on each."""
        for number, figure in enumerate(self.figures, 1):
            for x, text, side in ((LEFT, footer, "left"), (RIGHT, f"{number} / {len(self.figures)}", "right")):
                figure.text(x / WIDTH, 12.0 / HEIGHT, text, size=7, color=FAINT, ha=side, va="bottom")

    def _head(self, columns: Sequence[Column], size: float) -> None:
        self._room(_lines_mm(3, size))
        for column in columns:
            self._cell(column, column.title, size, FAINT)
        self._y += size * _MM_PER_POINT * _LINE + 0.3
        self._rule()

    def _cell(self, column: Column, text: str, size: float, color: str = INK) -> None:
        self._write(LEFT + column.at, text, size, color=color, side="right" if column.right else "left")

    def _rule(self) -> None:
        y = 1 - self._y / HEIGHT
        self.figures[-1].add_artist(Line2D((LEFT / WIDTH, RIGHT / WIDTH), (y, y), linewidth=0.5, color="#c4c9d1"))
        self._y += 1.2

    def _write(
        self, x: float, text: str, size: float, *, color: str = INK, weight: str = "normal", side: str = "left",
        font: str = "sans",
    ) -> None:  # fmt: skip
        self.figures[-1].text(
            x / WIDTH, 1 - self._y / HEIGHT, text, size=size, color=color, weight=weight, ha=side, va="top",
            family=_FONTS[font],
        )  # fmt: skip

    def _room(self, needed: float) -> bool:
        """Begin a sheet if fewer than `needed` mm are left; gives whether it did."""
        if self._y + needed <= BOTTOM:
            return False
        self.figures.append(Figure(figsize=(WIDTH / _MM_PER_INCH, HEIGHT / _MM_PER_INCH)))
        self._y = TOP
        return True


def drawn() -> AbstractContextManager[None]:
    """Give the context in which sheets are filled and written, whatever the user's own settings are."""
    return rc_context(_STYLE)


def write_pdf(path: Path, sheets: Sheets, title: str, creator: str, *, dpi: int = 300) -> None:
    """Write the sheets, whole or not at all; the same content gives the same bytes. `EclipsError` if it fails."""
    about = {"Title": title, "Creator": creator, "CreationDate": None, "ModDate": None}
    with whole_file(path) as temporary, PdfPages(temporary, metadata=about) as pdf:
        for figure in sheets.figures:
            FigureCanvasPdf(figure)
            pdf.savefig(figure, dpi=dpi)


def _wrapped(text: str, width_mm: float, size: float, font: str) -> list[str]:
    letters = max(8, int(width_mm / (size * _MM_PER_POINT * _GLYPH[font])))
    return textwrap.wrap(text, letters)


def _lines_mm(count: int, size: float) -> float:
    return count * size * _MM_PER_POINT * _LINE + 1.0
