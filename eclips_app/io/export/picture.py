"""Height maps as PNG: a picture with colours, shading, scale bar and colour bar, or plain 16-bit grey values."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.units import format_length, nice_step
from eclips_app.plugin_api.protocols import Surface

#: Every sixteenth colour of viridis (Smith and van der Walt, 2015; CC0).
_VIRIDIS = (
    "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725"
)
#: Blue and orange arms that meet in a light grey, as `scene3d.colormaps`.
_DIVERGING = "0b4c92 3c73b8 709cd6 aac6ea eeeeee e4b9a1 cb8761 a95a27 823000"
_LEAST_WIDTH = 400
_NO_HEIGHT = (225, 225, 225)
_LIGHT = np.array([-1.0, 1.0, 1.6]) / np.linalg.norm([-1.0, 1.0, 1.6])  #: from the upper left, x right, y up, z up


@dataclass(frozen=True)
class _Look:
    """Colours, the values of the first and the last, and whether slopes are shaded."""

    colors: NDArray[np.float32]  #: [256, 3], 0 to 255
    low: float
    high: float
    shaded: bool


def write_png(path: Path, surface: Surface, context: Context) -> None:
    """Write an 8-bit colour picture; the heights of the first and last colour are written below it."""
    context.progress(0.1, "Painting")
    picture = _framed(surface, _look(surface.height, signed=False))
    context.progress(0.6, "Writing PNG")
    picture.save(path, format="PNG", pnginfo=_facts(surface))


def png_bytes(surface: Surface, *, signed: bool = False) -> bytes:
    """Give the picture that `write_png` writes; `signed` for differences: zero in the middle of the colours, no shading."""
    file = io.BytesIO()
    _framed(surface, _look(surface.height, signed=signed)).save(file, format="PNG", pnginfo=_facts(surface))
    return file.getvalue()


def write_grey16(path: Path, surface: Surface, context: Context) -> None:
    """Write 16-bit grey values: 1 is the lowest height, 65535 the highest, 0 none; text chunks say which heights those are."""
    from PIL import Image

    context.progress(0.1, "Writing PNG")
    low, high = _range(surface)
    scaled = 1 + np.round((surface.height - low) / max(high - low, 1e-12) * 65534)
    grey = np.where(np.isfinite(scaled), scaled, 0).astype(np.uint16)
    Image.fromarray(grey).save(path, format="PNG", pnginfo=_facts(surface))


def _range(surface: Surface) -> tuple[float, float]:
    return float(np.nanmin(surface.height)), float(np.nanmax(surface.height))


def _look(height: NDArray[np.floating], *, signed: bool) -> _Look:
    """Give the look of a map; a thousandth of the pixels may lie beyond the first and the last colour."""
    low, high = (float(v) for v in np.nanpercentile(height, [0.1, 99.9]))
    if signed:
        low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
    return _Look(_table(_DIVERGING if signed else _VIRIDIS), low, high, not signed)


def _table(colors: str) -> NDArray[np.float32]:
    points = np.array([list(bytes.fromhex(color)) for color in colors.split()])
    at = np.linspace(0, len(points) - 1, 256)
    channels = [np.interp(at, np.arange(len(points)), channel) for channel in points.T]
    return np.stack(channels, axis=1).astype(np.float32)


def _framed(surface: Surface, look: _Look) -> Any:
    """Paint a map and write scale and colours below it."""
    from PIL import Image

    # Each pixel of a small map becomes a square, so that the text below has room.
    times = -(-_LEAST_WIDTH // surface.height.shape[1])
    picture = Image.fromarray(_painted(surface, look).repeat(times, 0).repeat(times, 1))
    size_x, size_y = surface.pixel_sizes_nm
    if size_x != size_y:
        picture = picture.resize(
            (picture.width, max(1, round(picture.height * size_y / size_x))), Image.Resampling.NEAREST
        )
    framed = Image.new("RGB", (picture.width, picture.height + _strip(picture.width)), "white")
    framed.paste(picture, (0, 0))
    _annotate(framed, picture.height, look, size_x / times)
    return framed


def _painted(surface: Surface, look: _Look) -> NDArray[np.uint8]:
    """Colour by height and, if the look says so, shade by slope."""
    known = np.isfinite(surface.height)
    height = np.where(known, surface.height, look.low).astype(np.float32)
    span = max(look.high - look.low, 1e-12)
    index = np.round((np.clip(height, look.low, look.high) - look.low) / span * 255).astype(np.intp)
    painted = look.colors[index]
    if look.shaded:
        painted = painted * _shade(height, surface.pixel_sizes_nm)[..., None]
    painted[~known] = _NO_HEIGHT
    return np.asarray(np.clip(painted, 0, 255), dtype=np.uint8)


def _shade(height: NDArray[np.float32], pixel_sizes_nm: tuple[float, float]) -> NDArray[np.float32]:
    down, right = np.gradient(height, pixel_sizes_nm[1], pixel_sizes_nm[0])
    # Slopes are drawn so that the steep ones look like 50 degrees, whatever the relief.
    steep = float(np.percentile(np.hypot(right, down), 97)) or 1.0
    p, q = right * (1.2 / steep), -down * (1.2 / steep)
    light = (-p * _LIGHT[0] - q * _LIGHT[1] + _LIGHT[2]) / np.sqrt(1 + p * p + q * q)
    return np.asarray(0.45 + 0.65 * np.clip(light, 0, 1), dtype=np.float32)


def _strip(width: int) -> int:
    return max(24, width // 12)


def _annotate(picture: Any, top: int, look: _Look, pixel_size_nm: float) -> None:
    """Draw scale bar and colour bar with their numbers below the picture."""
    from PIL import ImageDraw, ImageFont

    draw, strip, width = ImageDraw.Draw(picture), _strip(picture.width), picture.width
    font = ImageFont.load_default(size=max(8, strip * 0.36))
    middle, margin, thick = top + strip // 2, strip // 4, max(2, strip // 8)
    bar_nm = nice_step(0.22 * width * pixel_size_nm)
    bar = round(bar_nm / pixel_size_nm)
    draw.rectangle((margin, middle - thick, margin + bar, middle), fill="black")
    draw.text((margin + bar + margin, middle), _length(bar_nm), fill="black", font=font, anchor="lm")
    low, high = _length(look.low), _length(look.high)
    right = width - margin - draw.textlength(high, font=font)
    draw.text((right, middle), high, fill="black", font=font, anchor="lm")
    first = round(right - margin - 0.2 * width)
    columns = range(first, round(right - margin))
    for x, color in zip(columns, look.colors[np.linspace(0, 255, max(1, len(columns))).astype(np.intp)], strict=False):
        draw.line((x, middle - thick * 2, x, middle + thick), fill=tuple(int(c) for c in color))
    draw.text((first - margin, middle), low, fill="black", font=font, anchor="rm")


def _length(value_nm: float) -> str:
    """Write a length with the letters of Pillow's built-in font, which has no µ."""
    return format_length(value_nm, 3).replace("µ", "u")


def _facts(surface: Surface) -> Any:
    from PIL.PngImagePlugin import PngInfo

    low, high = _range(surface)
    facts = PngInfo()
    facts.add_itxt("Title", surface.title)
    facts.add_text("pixel_size_nm", repr(surface.pixel_size_nm))
    facts.add_text("lowest_nm", repr(low))
    facts.add_text("highest_nm", repr(high))
    if surface.provenance:
        facts.add_itxt("provenance", json.dumps(surface.provenance))
    return facts
