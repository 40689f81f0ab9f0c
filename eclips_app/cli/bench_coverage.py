"""How often the intervals that a reconstruction states hold the truth, over random surfaces and doses.

Intervals hold 95 %: ``value ± t sd`` with the deviations' own variance v of the functional. A part v_p that K_p draws tell has
K_p degrees of freedom, what is known without draws has none to lose: t is Student's with ``v^2 / Sum (v_p^2 / K_p)`` degrees
(Welch and Satterthwaite).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from eclips_app.cli.bench_accuracy import settings
from eclips_app.cli.bench_figures import Functional, lines_across
from eclips_app.cli.bench_known import Case, Recipe, annulus, recipe
from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.detector import Detector
from eclips_app.core.steps import StepResult, run_step
from eclips_app.core.tolerance import Tolerances

Float = NDArray[np.float64]

COLUMNS = (
    "quality", "interval_of", "among", "cases", "intervals", "covered_percent", "binomial_percent", "by_case_percent",
    "error_over_sd", "median_sd_nm",
)  # fmt: skip
QUANTITIES = ("height difference", "step height", "facet angle")
_PIXELS = 96
_DECADES = ((1e3, 1e4), (1e4, 1e5))
_PAIRS = 20
_LINES = 12
_APART_PX = 6.0
_METROLOGY_SHARE = 8  #: one case in so many is also solved with 2 x 2 heights in a pixel
_GAINS = Tolerances(gain_percent=0.5)
_DISTANCE = Tolerances(distance_mm=0.1)
_SURFACES: dict[str, dict[str, tuple[float, float]]] = {
    "steps": {
        "slope_angle_deg": (30, 46), "azimuth_deg": (-180, 180), "step_height_nm": (12, 20), "terrace_nm": (44, 60),
    },
    "spiral": {"slope_angle_deg": (35, 46), "step_height_nm": (10, 15), "pitch_nm": (60, 80)},
    "rough": {"rms_slope": (0.1, 0.5)},
    "vickers": {"azimuth_deg": (-180, 180)},
    "sphere": {"slope_angle_deg": (40, 60)},
}  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """A stated interval beside the truth: error and standard deviation in nm (an angle's: of the rise over the face)."""

    quality: str
    quantity: str
    kind: str
    dose: float
    case: int
    error: float
    sd: float
    factor: float

    @property
    def holds(self) -> bool:
        """Whether the truth is in it."""
        return abs(self.error) <= self.factor * self.sd


def tables(context: Context, cases: int, *, seed: int = 1, quick: bool = False) -> list[Table]:
    """Count with exactly known detectors, then with gains and then distances that differ from those told."""
    pixels, qualities = (48, ("standard",)) if quick else (_PIXELS, ("standard", "metrology"))
    fewer = max(1, cases // 2)
    kinds: tuple[tuple[str, int, Tolerances], ...] = (
        ("detector known", cases, Tolerances()), ("gains differ by 0.5 %", fewer, _GAINS),
        ("distance differs by 0.1 mm", fewer, _DISTANCE),
    )  # fmt: skip
    total, done, found = sum(count for _, count, _ in kinds), 0, []
    for title, count, tolerances in kinds:
        intervals: list[Interval] = []
        for number, made in enumerate(_recipes(count, pixels, seed, tolerances)):
            context.progress(done / total, f"{title}: {made.specimen.kind} {number + 1} of {count}")
            done += 1
            intervals += intervals_of(made, number, tolerances, qualities)
        found.append(Table(f"95 % intervals, {title}", COLUMNS, tuple(_counted(intervals)), _NOTES))
    return found


_NOTES = (
    "value ± t sd, Student's t with the degrees of freedom that K draws leave. binomial: standard error if all intervals were "
    "independent; by_case: from the spread between cases, whose intervals go together.",
    "Truth: pixel means of surfaces rendered at 4x. error over sd: root mean square, 1 where the sd is right. Angles: sd in nm "
    "is that of the rise over a pixel.",
)


def _recipes(count: int, pixels: int, seed: int, tolerances: Tolerances) -> Iterator[Recipe]:
    """Draw surfaces and doses; the images come from a detector that is drawn within the tolerances."""
    rng = np.random.default_rng([seed, count, int(10 * (tolerances.gain_percent or 0))])
    kinds = tuple(_SURFACES)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        given: dict[str, Any] = {name: float(rng.uniform(*limits)) for name, limits in _SURFACES[kind].items()}
        dose = float(np.exp(rng.uniform(np.log(_DECADES[0][0]), np.log(_DECADES[-1][1]))))
        made = recipe(f"{kind} {number}", kind, int(rng.integers(2**31)), pixels, annulus(4), dose, **given)
        yield replace(made, true_detector=_drawn(made.detector, tolerances, rng))


def _drawn(detector: Detector, tolerances: Tolerances, rng: np.random.Generator) -> Detector:
    """Draw a detector about the one that the reconstruction is told."""
    gains = 1.0 + 0.01 * (tolerances.gain_percent or 0.0) * rng.standard_normal(len(detector.quadrants))
    segments = tuple(replace(each, gain=float(gain)) for each, gain in zip(detector.quadrants, gains, strict=True))
    distance = detector.distance_mm + (tolerances.distance_mm or 0.0) * float(rng.standard_normal())
    return replace(detector, quadrants=segments, distance_mm=distance)


def intervals_of(made: Recipe, number: int, tolerances: Tolerances, qualities: Sequence[str]) -> Iterator[Interval]:
    """Reconstruct a case and give its intervals."""
    case = made.made()
    wanted = list(functionals(case, number))
    for quality in qualities if number % _METROLOGY_SHARE == 0 else qualities[:1]:
        params = settings(case, quality, draws=16, seed=number, tolerances=tolerances)
        result = run_step("reconstruct-closed-loop", {"segments": case.segments}, params, SilentContext())
        deviations = Deviations.of(result, case.pixel_size_nm)
        for quantity, functional in wanted:
            sd, factor = deviations.interval(functional)
            error = functional.of(result.arrays["height"] - case.height)
            yield Interval(quality, quantity, made.specimen.kind, made.dose, number, error, sd, factor)


def functionals(case: Case, seed: int) -> Iterator[tuple[str, Functional]]:
    """Give random pairs of points, and steps and angles of faces where there are some."""
    rng = np.random.default_rng(seed)
    pairs = 0
    while pairs < _PAIRS:
        place = rng.integers(0, case.height.shape, (2, 2)).astype(float)
        if np.hypot(*(place[0] - place[1])) >= _APART_PX:
            pairs += 1
            yield QUANTITIES[0], Functional(place[:, 0], place[:, 1], np.array([1.0, -1.0]))
    for line in lines_across(case.normals, _LINES, seed):
        yield QUANTITIES[2], line.slope
        if line.step is not None:
            yield QUANTITIES[1], line.step


@dataclass(frozen=True)
class Deviations:
    """Maps of deviations in nm [n, row, col]; `draws`: for each part that is known by draws, which maps are those."""

    maps: Float
    draws: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(cls, result: StepResult, pixel_size_nm: float) -> Deviations:
        """Take them from a result."""
        drawn = np.array([part if name.startswith("draw") else "" for part, name in result.info["deviation_parts"]])
        draws = tuple(np.flatnonzero(drawn == part) for part in np.unique(drawn[drawn != ""]))
        return cls(result.arrays["deviations"].astype(float) * pixel_size_nm, draws)

    def interval(self, functional: Functional) -> tuple[float, float]:
        """Give the standard deviation of a functional, and by how many of them a 95 % interval extends."""
        squares = np.array([functional.of(each) ** 2 for each in self.maps])
        parts = [(float(squares[which].sum()), len(which)) for which in self.draws]
        return float(np.sqrt(squares.sum())), factor(parts, float(squares.sum()))


def factor(parts: Sequence[tuple[float, int]], total: float) -> float:
    """Give Student's t of 95 % for a variance `total` of which `parts` come each from so many draws."""
    lost = sum(variance**2 / draws for variance, draws in parts)
    return float(student.ppf(0.975, total**2 / lost if lost > 0 else np.inf))


def _counted(intervals: Sequence[Interval]) -> Iterator[tuple[Any, ...]]:
    """Give the rows: by quality and quantity, of all cases, of those of a decade of the dose and of a kind of surface."""
    among: dict[str, Callable[[Interval], bool]] = {"all": lambda each: True}
    for low, high in _DECADES:
        among[f"{low:.0e} to {high:.0e} electrons"] = partial(_in_decade, low, high)
    for kind in _SURFACES:
        among[kind] = partial(_of_kind, kind)
    for quality, quantity in product(("standard", "metrology"), QUANTITIES):
        same = [each for each in intervals if (each.quality, each.quantity) == (quality, quantity)]
        for name, belongs in among.items():
            if chosen := [each for each in same if belongs(each)]:
                yield quality, quantity, name, *counted(chosen)


def _in_decade(low: float, high: float, each: Interval) -> bool:
    return low <= each.dose < high


def _of_kind(kind: str, each: Interval) -> bool:
    return each.kind == kind


def counted(chosen: Sequence[Interval]) -> tuple[Any, ...]:
    """Give number of cases and intervals, part covered with both standard errors in percent, error over sd, median sd."""
    holds, cases = np.array([each.holds for each in chosen]), np.array([each.case for each in chosen])
    means = np.array([holds[cases == case].mean() for case in np.unique(cases)])
    covered = float(holds.mean())
    by_case = 100 * float(np.std(means, ddof=1) / np.sqrt(len(means))) if len(means) > 1 else None
    ratios = np.array([each.error / each.sd for each in chosen])
    return (
        len(means), len(chosen), 100 * covered, 100 * float(np.sqrt(covered * (1 - covered) / len(chosen))), by_case,
        float(np.sqrt(np.mean(ratios**2))), float(np.median([each.sd for each in chosen])),
    )  # fmt: skip
