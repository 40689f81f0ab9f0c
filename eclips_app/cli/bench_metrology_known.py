"""Measurements of surfaces whose values follow from a formula."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate
from scipy.special import erf
from scipy.stats import norm

from eclips_app.cli.bench_metrology import difference_percent, measured
from eclips_app.cli.tables import Table
from eclips_app.core.measuring import KINDS, Stretch
from eclips_app.core.shapes import Shape

Floats = NDArray[np.float64]
_LENGTH = 400  #: columns of the profiles' maps


@dataclass(frozen=True, eq=False)
class Known:
    """A surface, how it is measured, and its exact values: quantity -> (value, tolerance in its unit, reason)."""

    surface: str
    kind: str
    height: Floats
    size_nm: float
    exact: dict[str, tuple[float, float, str]]
    shapes: tuple[Shape, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def table() -> Table:
    """Measure them all; gives ours beside the exact values."""
    rows = []
    for known in all_known():
        result = measured(known.kind, known.height, known.size_nm, known.shapes, known.stretches, **known.options)
        for name, (exact, tolerance, reason) in known.exact.items():
            value = result.info["values"][name]
            ours = value["value"]
            kept = ours is not None and abs(ours - exact) <= tolerance
            rows.append(
                (KINDS[known.kind].key, known.surface, name, value["unit"], ours, exact,
                 difference_percent(ours, exact), "yes" if kept else "NO", reason)
            )  # fmt: skip
    columns = ("kind", "surface", "quantity", "unit", "ours", "exact", "difference %", "within tolerance", "reason")
    return Table("Measurements of surfaces whose values are known", columns, tuple(rows))


def all_known() -> Iterator[Known]:
    """Give the surfaces, with exact values and tolerances."""
    yield from _steps()
    yield from _angles()
    yield from _dimensions()
    yield from _volumes()
    yield from _sines()
    yield from _random()


def _across(profile: Floats, rows: int = 21) -> Floats:
    return np.broadcast_to(profile, (rows, len(profile))).copy()


def _line(columns: int = _LENGTH, row: float = 10, width: float = 5) -> Shape:
    return Shape("line", ((0.0, row), (columns - 1.0, row)), width)


def _averaged(of: Any, size: float, columns: int = _LENGTH, fine: int = 64) -> Floats:
    """Give a profile averaged over each pixel, as an image of it is."""
    x = (np.arange(columns * fine) + 0.5) / fine - 0.5
    found: Floats = of(x * size).reshape(columns, fine).mean(axis=1)
    return found


def _steps() -> Iterator[Known]:
    size, tilt = 5.0, math.tan(math.radians(3.0))
    x = np.arange(_LENGTH) * size
    step = 22.0 * (x > 990) + tilt * x
    angle = {"slope": (3.0, 1e-9, "")}
    yield Known("single step of 22 nm, tilted by 3°", "step", _across(step), size, {"height": (22.0, 1e-9, ""), **angle},
                (_line(),), ((100, 900), (1100, 1900)))  # fmt: skip
    groove = -180.0 * ((x > 800) & (x < 1200)) + tilt * x
    yield Known("groove of 180 nm, tilted by 3°", "step-iso", _across(groove), size,
                {"height": (-180.0, 1e-9, ""), **angle}, (_line(),))  # fmt: skip
    noise = np.random.default_rng(1).normal(0, 2, (200, 200))
    plane = 0.1 * np.arange(200) + 0.05 * np.arange(200)[:, None]
    two = 50.0 * (np.arange(200) > 90) + noise + plane
    yield Known("two levels 50 nm apart, tilted, noise of 2 nm", "step-histogram", two, size,
                {"height": (50.0, 0.1, "noise")}, options={"form": "plane"})  # fmt: skip
    edge = 40.0 * 0.5 * (1 + erf((x - 1003.0) / (math.sqrt(2) * 30.0))) + tilt * x
    yield Known("edge of the shape of an error function", "edge", _across(edge), size,
                {"position": (1003.0, 1e-3, ""), "width": (2 * norm.ppf(0.9) * 30.0, 1e-2, ""), "height": (40.0, 1e-3, "")},
                (_line(),))  # fmt: skip


def _angles() -> Iterator[Known]:
    size = 4.0
    x = np.arange(_LENGTH) * size
    ridge = -np.abs(x - 800) * math.tan(math.radians(35.26))
    yield Known("ridge between faces of 35.26°", "dihedral", _across(ridge), size,
                {"angle": (180 - 2 * 35.26, 1e-9, ""), "apex position": (800.0, 1e-6, "")},
                (_line(),), ((100, 700), (900, 1500)))  # fmt: skip
    yield Known(
        "face of 35.26°", "slope", _across(ridge), size, {"angle": (35.26, 1e-9, "")}, (_line(),), ((100, 700),)
    )
    r, c = np.mgrid[:120, :160] * size
    first = c * math.tan(math.radians(20.0))
    second = -r * math.tan(math.radians(30.0)) + 300
    both = np.where(c < 320, first, second)
    between = math.degrees(math.acos(math.cos(math.radians(20)) * math.cos(math.radians(30))))
    areas = Shape("rectangle", ((5.0, 5.0), (70.0, 110.0))), Shape("circle", ((120.0, 60.0), (150.0, 60.0)))
    yield Known("planes of 20° to the right and 30° upwards", "plane-angle", both, size,
                {"angle": (between, 1e-6, ""), "first tilt": (20.0, 1e-6, ""), "second tilt": (30.0, 1e-6, "")},
                areas)  # fmt: skip
    yield Known("plane of 30° upwards", "plane", both, size,
                {"tilt": (30.0, 1e-6, ""), "azimuth": (90.0, 1e-6, "")}, areas[1:])  # fmt: skip


def _dimensions() -> Iterator[Known]:
    size, pitch = 5.0, 137.3

    def triangle(x: Floats) -> Floats:
        return 40.0 * np.abs((x / pitch) % 1.0 - 0.5) * 2

    grating = _across(_averaged(triangle, size))
    exact = {"pitch": (pitch, 0.01, "ridges of few points"), "pitch (Fourier)": (pitch, 0.05, "ends cut the last period"),
             "pitch (autocorrelation)": (pitch, 0.2, "parabola through three lags")}  # fmt: skip
    yield Known("triangular grating of 137.3 nm", "pitch", grating, size, exact, (_line(),))
    r, c = np.mgrid[:200, :240] * size
    turn = math.radians(25.0)
    along, across = c * math.cos(turn) - r * math.sin(turn), c * math.sin(turn) + r * math.cos(turn)
    lattice = 10 * np.sin(2 * math.pi * along / 83.0) + 8 * np.sin(2 * math.pi * across / 61.0)
    exact = {"pitch": (83.0, 0.02, "window"), "direction": (25.0, 0.02, "window"), "second pitch": (61.0, 0.02, "window"),
             "angle between": (90.0, 0.02, "window")}  # fmt: skip
    yield Known("lattice of 83 and 61 nm, turned by 25°", "pitch-area", lattice, size, exact)
    wall = 100 / math.tan(math.radians(75.0))
    half = 150.0

    def line(x: Floats) -> Floats:
        return np.clip((half + wall / 2 - np.abs(x - 1000.0)) / wall, 0, 1) * 100.0

    exact = {
        "width": (2 * half, 0.05, ""), "height": (100.0, 1e-6, ""),
        "top width": (2 * half - 0.8 * wall, 0.5, "pixels average over the edge"),
        "bottom width": (2 * half + 0.8 * wall, 0.5, "pixels average over the edge"),
        "left sidewall angle": (75.0, 0.5, "pixels average over the edge"),
        "right sidewall angle": (75.0, 0.5, "pixels average over the edge"),
    }  # fmt: skip
    yield Known("line 300 nm wide, walls of 75°", "cd", _across(_averaged(line, 2.5, 800)), 2.5, exact, (_line(800),))


def _volumes() -> Iterator[Known]:
    size, radius, height = 5.0, 1000.0, 300.0
    r, c = (np.mgrid[:401, :401] - 200.0) * size
    cap = np.sqrt(np.maximum(radius**2 - r**2 - c**2, 0)) - (radius - height)
    cap = np.maximum(cap, 0)
    base = math.sqrt(2 * radius * height - height**2)
    volume = math.pi * height**2 * (3 * radius - height) / 3
    pixels = "pixels at the rim"
    around = Shape("circle", ((200.0, 200.0), (200.0 + 190.0, 200.0)))
    yield Known("spherical cap on a plane", "volume", cap, size,
                {"volume above": (volume, 1e-3 * volume, pixels), "highest": (height, 1e-6, "")}, (around,))  # fmt: skip
    inner = 0.8 * base
    disc = Shape("circle", ((200.0, 200.0), (200.0 + inner / size, 200.0)))
    surface = 2 * math.pi * radius * (radius - math.sqrt(radius**2 - inner**2))
    yield Known("spherical cap, inner part", "area", cap, size,
                {"projected area": (math.pi * inner**2, 2e-3 * math.pi * inner**2, pixels),
                 "surface area": (surface, 3e-3 * surface, pixels)}, (disc,))  # fmt: skip


def _sines() -> Iterator[Known]:
    size, amplitude, wave = 5.0, 10.0, 320.0
    x = (np.arange(512) + 0.5) * size
    z = np.broadcast_to(amplitude * np.sin(2 * math.pi * x / wave), (512, 512)).copy()
    steep = 2 * math.pi * amplitude / wave
    developed = (
        integrate.quad(lambda t: math.sqrt(1 + (steep * math.cos(t)) ** 2), 0, 2 * math.pi)[0] / (2 * math.pi) - 1
    )
    differences = "differences of neighbours"
    exact = {
        "Sq": (amplitude / math.sqrt(2), 1e-9, ""), "Sa": (2 * amplitude / math.pi, 0.003, "sampled"),
        "Ssk": (0.0, 1e-9, ""), "Sku": (1.5, 1e-9, ""), "Sz": (2 * amplitude, 0.03, "sampled beside the crests"),
        "Sdq": (steep / math.sqrt(2), 1e-3 * steep, differences), "Sdr": (100 * developed, 0.01, differences),
        "Sal": (wave * math.acos(0.2) / (2 * math.pi), 1.5, "at each lag other ends are left out"),
    }  # fmt: skip
    yield Known("sine of 10 nm, 320 nm long", "roughness-area", z, size, exact, options={"form": "none"})
    short = 64.0
    z_short = np.broadcast_to(amplitude * np.sin(2 * math.pi * x / short), (512, 512)).copy()
    halved, ends = amplitude / math.sqrt(2) / 2, "the filter has less to average at the ends"
    yield Known("sine 64 nm long, S-filter as long", "roughness-area", z_short, size, {"Sq": (halved, 0.02 * halved, ends)},
                options={"form": "none", "s_filter_nm": short})  # fmt: skip
    yield Known("sine 64 nm long, L-filter as long", "roughness-area", z_short, size, {"Sq": (halved, 0.02 * halved, ends)},
                options={"form": "none", "l_filter_nm": short})  # fmt: skip
    exact = {
        "Pq": (amplitude / math.sqrt(2), 1e-9, ""), "Ra": (2 * amplitude / math.pi, 0.003, "sampled"),
        "Rz": (2 * amplitude, 0.03, "sampled beside the crests"), "Rsm": (wave, 0.01, ""),
        "Rdq": (steep / math.sqrt(2), 0.01 * steep, "three points at each end are left out"),
        "Rsk": (0.0, 1e-9, ""), "Rku": (1.5, 1e-9, ""),
    }  # fmt: skip
    line = Shape("line", ((0.0, 10.0), (511.0, 10.0)))
    yield Known("sine of 10 nm, 320 nm long", "roughness-profile", z, size, exact, (line,),
                options={"form": "none", "lambda_c_nm": 0})  # fmt: skip
    exact = {"Rq": (halved, 0.025 * halved, ends), "Wq": (halved, 0.025 * halved, ends)}
    for kind in ("gaussian", "spline"):
        yield Known(f"sine 64 nm long, λc as long, {kind}", "roughness-profile", z_short, size, exact, (line,),
                    options={"form": "none", "lambda_c_nm": short, "filter": kind})  # fmt: skip
    rms = (amplitude / math.sqrt(2), 1e-9, "")
    exact = {"rms of the spectrum": rms, "dominant wavelength": (wave, 0.3, "parabola through three wavenumbers")}
    options = {"form": "none", "window": "none"}
    yield Known("sine of 10 nm, 320 nm long", "spectrum-profile", z, size, exact, (line,), options=options)
    yield Known("sine of 10 nm, 320 nm long", "spectrum-area", z, size, exact, options=options)
    box = amplitude * np.sin(2 * math.pi * x / wave) * np.sin(2 * math.pi * x / wave)[:, None]
    curved = amplitude * (2 * math.pi / wave) ** 2
    exact = {"S10z": (2 * amplitude, 0.05, "sampled beside the peaks"),
             "Spc": (curved, 0.01 * curved, "second differences")}  # fmt: skip
    yield Known("egg box of 10 nm, 320 nm long", "features", box, size, exact, options={"form": "none"})


def _random() -> Iterator[Known]:
    ramp = np.broadcast_to(np.linspace(0, 100, 1001), (50, 1001)).copy()
    exact = {
        "Sk": (100.0, 0.15, "sampled"), "Spk": (0.0, 0.01, ""), "Svk": (0.0, 0.01, ""), "Smr(20 nm)": (30.0, 0.1, "sampled"),
        "Smc(25 %)": (25.0, 0.1, "sampled"),
    }  # fmt: skip
    yield Known(
        "ramp from 0 to 100 nm", "bearing", ramp, 5.0, exact, options={"form": "none", "c_nm": 20, "mr_percent": 25}
    )
    size, sigma, length = 10.0, 5.0, 100.0
    z = gaussian_surface(512, size, sigma, length, seed=3)
    few = "a field of some 2000 correlation areas"
    core = core_of_gaussian()
    exact = {
        "Sq": (sigma, 0.15, few), "Ssk": (0.0, 0.1, few), "Sku": (3.0, 0.15, few), "Sk": (core * sigma, 0.4, few),
        "Sal": (length * math.sqrt(math.log(5)), 8.0, few), "Str": (1.0, 0.15, few),
        "Sdq": (math.sqrt(2) * sigma * math.sqrt(2) / length, 0.003, few),
        "Vmc": (_vmc_of_gaussian() * sigma, 0.2, few),
    }  # fmt: skip
    yield Known("Gaussian random surface, 5 nm, correlation length 100 nm", "roughness-area", z, size, exact,
                options={"form": "none"})  # fmt: skip


def gaussian_surface(pixels: int, size_nm: float, rms_nm: float, length_nm: float, seed: int) -> Floats:
    """Give a periodic random surface [row, col] in nm with the autocorrelation exp(-(r / length)²)."""
    q = 2 * math.pi * np.fft.fftfreq(pixels, size_nm)
    amplitude = np.exp(-((q**2 + q[:, None] ** 2) * length_nm**2) / 8)
    noise = np.random.default_rng(seed).normal(size=(pixels, pixels))
    z = np.fft.ifft2(np.fft.fft2(noise) * amplitude).real
    scale: float = math.sqrt(float((amplitude**2).mean()))
    return z * (rms_nm / scale)


def core_of_gaussian() -> float:
    """Give Sk / Sq of normally distributed heights: the line of least squares through the middle 40 % of the curve."""
    top = integrate.quad(lambda m: (m - 0.5) * norm.isf(m), 0.3, 0.7)[0]
    return float(-top / integrate.quad(lambda m: (m - 0.5) ** 2, 0.3, 0.7)[0])


def _vmc_of_gaussian() -> float:
    """Give Vmc / Sq of normally distributed heights: Int_0^p z dm - p z(p) is pdf(z(p)) - p z(p)."""
    above = [norm.pdf(norm.isf(p)) - p * norm.isf(p) for p in (0.1, 0.8)]
    return float(above[1] - above[0])
