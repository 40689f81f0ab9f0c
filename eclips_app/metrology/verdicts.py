"""The verdicts of `honesty`: one sentence for each, saying what was found and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from eclips_app.metrology.evidence import Evidence
from eclips_app.metrology.regions import Region, regions_of

#: Kinds of verdicts: the words for them, and how they are told: "good", "info", "warning" or "error".
KINDS: dict[str, tuple[str, str]] = {
    "explained": ("Explained", "good"),
    "untestable": ("Not testable", "info"),
    "overfitted": ("Noise overstated", "warning"),
    "geometry": ("Geometry or emission suspect", "warning"),
    "not explained": ("Not explained", "error"),
    "strained": ("Strained", "warning"),
    "occluded": ("Shadows", "info"),
    "clipped": ("Segment left out", "info"),
    "no data": ("No data", "warning"),
    "material": ("Material contrast", "info"),
}
_REACH_PX = 8  #: twice the smoothing of chi-square: nearer pieces cannot be told apart
_LEAST_PX = 64
_TOLD = {"not explained": 6, "strained": 3, "material": 3}  #: regions told one by one; two of the other kinds
_STEEP = 0.7  #: slope; 35 degrees
_ONE_SEGMENT = 0.7  #: share of a misfit that one segment alone has
_CONTRAST = 0.02  #: of the logarithm of the brightness
_SMOOTH_PX = 2.0  #: of the brightness, whose noise would break a patch into pieces


@dataclass(frozen=True)
class Verdict:
    """What was found of the field or a region.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    text : str
        One sentence: what is there, and what to do.
    area : float
        Part of the field.
    bbox : tuple, optional
        First row, first column, end row, end column of the map; None: the whole field.
    chi2 : float, optional
        Mean chi-square there.
    """

    kind: str
    text: str
    area: float = 1.0
    bbox: tuple[int, int, int, int] | None = None
    chi2: float | None = None

    @property
    def title(self) -> str:
        """The kind in words."""
        return KINDS[self.kind][0]

    @property
    def tone(self) -> str:
        """How it is told: "good", "info", "warning" or "error"."""
        return KINDS[self.kind][1]


def explained(share: float, median: float) -> Verdict:
    """Say how much of the field the model explains."""
    text = f"Explained by the model: {100 * share:.0f} % of the field (median chi-square {median:.2g}, 1 is noise)."
    return Verdict("explained" if share >= 0.5 else "not explained", text, share, chi2=median)


def overfitted(median: float) -> Verdict:
    """Say that less is left over than noise would leave."""
    text = (
        f"Less is left over than noise gives (median chi-square {median:.2g}): the noise is taken too high or the heights follow "
        "it; state the grey values per electron, or smooth more."
    )
    return Verdict("overfitted", text, chi2=median)


def untestable(has_known: bool) -> Verdict:
    """Say why nothing tests the model."""
    rest = "look at chi-square with the brightness known" if has_known else "images of four segments or more would"
    text = f"Nothing is left over that could test the model: three segments give three unknowns; {rest}."
    return Verdict("untestable", text)


def geometry(seen: Evidence) -> list[Verdict]:
    """Say whether the brightness follows the slope."""
    found, trend = [], seen.trend
    if trend.is_flat:
        text = "Too little of the surface is evenly tilted to test distance, radii and emission: check them on one that is."
        return [Verdict("untestable", text)]
    if trend.with_tilt or trend.known_grows:
        text = f"The brightness follows the tilt (by {100 * trend.tilt_change:.2g} %), which a material does not"
        if trend.known_grows:
            text += f", and chi-square with it known grows from {trend.known_flat:.2g} on flat parts to {trend.known_steep:.2g}"
        if seen.maps.is_exact:
            text += ": distance or radii of the detector are probably off, or the emission; calibrate on faces of known angle."
        else:
            text += ": shadows, which Live does not know, or distance, radii or emission law; reconstruct with Standard to tell."
        found.append(Verdict("geometry", text, chi2=_number(trend.known_steep)))
    if trend.with_direction:
        shadows = "" if seen.maps.is_exact else "shadows, which Live does not know, or "
        text = (
            f"Faces towards {trend.direction_deg:.0f}° are too bright (by {100 * trend.direction_change:.2g} %): {shadows}gains, "
            "offsets, or the detector's axis offset or tilt are probably off; level the gains or calibrate."
        )
        found.append(Verdict("geometry", text))
    return found


def not_explained(seen: Evidence) -> list[Verdict]:
    """Find regions in which more than noise is left over, and those in which it is just visible."""
    with np.errstate(invalid="ignore"):
        strong, weak = seen.chi2 > seen.limit, seen.chi2 > seen.threshold

    def strong_text(number: int, region: Region) -> str:
        level = _mean(region.of(seen.chi2))
        return (
            f"Region {number}, {_place(seen, region)}: more than noise is left (chi-square {level:.2g}): {_cause(seen, region)}; "
            "heights there are not to be trusted."
        )

    def weak_text(number: int, region: Region) -> str:
        level = _mean(region.of(seen.chi2))
        words = f"{_place(seen, region)} (chi-square {level:.2g}): {_cause(seen, region)}"
        return f"Strained, {words}; look at the difference there."

    tested = np.count_nonzero(np.isfinite(seen.chi2))
    if np.count_nonzero(weak) > 0.5 * tested:
        everywhere = _everywhere(seen, np.count_nonzero(weak) / weak.size)
        return [
            everywhere,
            *([] if everywhere.kind == "not explained" else _each(seen, "not explained", strong, strong_text)),
        ]
    halo = maximum_filter(strong, 2 * _reach(seen) + 1)
    return _each(seen, "not explained", strong, strong_text) + _each(seen, "strained", weak & ~halo, weak_text)


def _everywhere(seen: Evidence, share: float) -> Verdict:
    """Say that the model fails nearly everywhere."""
    level = float(np.nanmedian(seen.chi2))
    text = (
        f"More than noise is left nearly everywhere (median chi-square {level:.2g}): order of the segments, gains, registration "
        "or the detector are probably wrong, or the noise is stated too low."
    )
    return Verdict("not explained" if level > seen.limit else "strained", text, share, chi2=level)


def missing(seen: Evidence) -> list[Verdict]:
    """Find regions without data, with a segment left out, and in shadow."""
    texts: dict[str, tuple[NDArray[np.bool_], str]] = {
        "occluded": (
            seen.occluded & ~seen.missing,
            "other parts of the surface take much of the signal away; the model knows it, but the deviation of the height grows.",
        ),
        "clipped": (
            seen.clipped & ~seen.missing,
            "a segment is clipped or does not reach there; the height rests on the others, and nothing may be left to test it.",
        ),
        "no data": (
            seen.missing,
            "excluded, or fewer than three segments are usable; the height is carried across, not measured.",
        ),
    }
    found = []
    for kind, (where, text) in texts.items():
        title = KINDS[kind][0]
        found += _each(seen, kind, where, lambda _, region, t=title, s=text: f"{t}, {_place(seen, region)}: {s}")  # type: ignore[misc]
    return found


def material(seen: Evidence) -> list[Verdict]:
    """Find patches of another brightness in which the model explains the images all the same."""
    if seen.known is None or seen.rho is None or not seen.maps.free_brightness:
        return []
    factor = np.log(np.where(np.isfinite(seen.rho) & (seen.rho > 0), seen.rho, 1.0)) - seen.trend.predicted(seen.slopes)
    typical = float(np.median(factor[~seen.missing])) if not seen.missing.all() else 0.0
    off = np.abs(gaussian_filter(np.where(seen.missing, 0.0, factor - typical), _SMOOTH_PX / seen.step)) > _CONTRAST
    with np.errstate(invalid="ignore"):
        differs = off & (seen.known > seen.limit) & ~(seen.chi2 > seen.limit) & ~seen.missing & ~seen.occluded

    def even(region: Region) -> bool:
        values = np.asarray(region.of(factor), np.float64) - typical
        middle = float(np.median(values))
        return abs(middle) > max(_CONTRAST, 1.5 * float(np.median(np.abs(values - middle))))

    def text(_: int, region: Region) -> str:
        times = float(np.exp(np.median(np.asarray(region.of(factor), np.float64)) - typical))
        return (
            f"Material contrast, {_place(seen, region)}: {times:.2g} times as bright as the rest, though the model explains the "
            "images: another material or a film; heights do not rest on it as each pixel has a brightness of its own."
        )

    return _each(seen, "material", differs, text, even)


def _each(
    seen: Evidence, kind: str, where: NDArray[np.bool_], text: Callable[[int, Region], str],
    accept: Callable[[Region], bool] = lambda _: True,
) -> list[Verdict]:  # fmt: skip
    """Tell the largest regions one by one and sum up the rest."""
    least = max(1, _LEAST_PX // seen.step**2)
    regions = regions_of(where, reach=_reach(seen), least=least)
    kept = [region for region in regions.large if accept(region)]
    told, rest = kept[: _TOLD.get(kind, 2)], kept[_TOLD.get(kind, 2) :]
    found = [
        Verdict(kind, text(i, r), r.area / where.size, _bbox(seen, r), _number(_mean(r.of(seen.chi2))))
        for i, r in enumerate(told, 1)
    ]
    area = (sum(region.area for region in rest) + (regions.crumbs if kind != "material" else 0)) / where.size
    if rest or area > 0.01:
        number = f"{len(rest)} smaller regions" if rest else "Specks"
        found.append(
            Verdict(kind, f"{number} more: {KINDS[kind][0].lower()}, together {100 * area:.2g} % of the field.", area)
        )
    return found


def _cause(seen: Evidence, region: Region) -> str:
    """Guess why the model fails in a region."""
    if float(region.of(seen.occluded).mean()) > 0.2:
        return "shadow of a steep edge, which the model sees too coarsely"
    steepness = float(np.percentile(np.hypot(*region.of(seen.slopes)), 90))
    if steepness > _STEEP:
        return (
            f"steep edge or shadow (slopes of {np.degrees(np.arctan(steepness)):.0f}°); more heights per pixel may help"
        )
    lone = _lone_segment(seen, region)
    if lone:
        return f"almost all of it in segment {lone}: saturation, dirt, or an image that is not registered"
    return "not a steep edge: saturation, dirt, charging, drift, or electrons that the model does not know"


def _lone_segment(seen: Evidence, region: Region) -> str:
    """Name the segment in which nearly all of a misfit is; empty if there is none."""
    residual = seen.maps.residual
    if residual is None:
        return ""
    part = region.of(residual[:, :: seen.step, :: seen.step]).astype(np.float64)
    power = np.nan_to_num(part**2).sum(axis=1)
    worst = int(power.argmax())
    if power[worst] < _ONE_SEGMENT * power.sum():
        return ""
    return seen.maps.names[worst] if worst < len(seen.maps.names) else str(worst + 1)


def _place(seen: Evidence, region: Region) -> str:
    """Give size and middle of a region in pixels of the uncropped image."""
    top, left, bottom, right = _bbox(seen, region)
    first_row, first_column = seen.maps.origin_px
    middle = (left + right) // 2 + first_column, (top + bottom) // 2 + first_row
    return f"{right - left} × {bottom - top} px at ({middle[0]}, {middle[1]})"


def _bbox(seen: Evidence, region: Region) -> tuple[int, int, int, int]:
    rows, columns = region.box
    height, width = seen.maps.height.shape
    s = seen.step
    return rows.start * s, columns.start * s, min(rows.stop * s, height), min(columns.stop * s, width)


def _reach(seen: Evidence) -> int:
    return max(1, _REACH_PX // seen.step)


def _mean(values: NDArray[np.generic]) -> float:
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else np.nan


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
