"""Scenes to train on: random specimens before random detectors, with all that a microscope adds to the images.

A scene is fixed by its recipe's seed and its index. Images are rendered by the exact model on samples half a pixel wide, with
surroundings that are cut away: real surfaces go on beyond the border.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.detector import Beam, Detector, Segment
from eclips_app.core.emission import Emission, materials
from eclips_app.engine.emission.model import coefficients_of
from eclips_app.engine.forward.model import Fineness, forward_model, slopes
from eclips_app.engine.linear_emission import Readings, readings_for
from eclips_app.engine.optics.flight import FULL as FLIGHT
from eclips_app.engine.training.specimens import Recipe, specimen

Float = NDArray[np.float64]

SUBPIXELS = 2
_SURROUNDINGS_PX = 12
_LARGEST_SCALE = 10.0
_NOISE_SHARE = 0.05
_COUNTS = (3, 4, 4, 4, 4, 5, 6, 8)  #: of segments
_FINENESS = Fineness(180, 384, 513, FLIGHT)  #: exact to 1e-3, and made in 25 ms
_AZIMUTHS = 16
_ENERGY_KEV = 10.0
_LAMBERT_SHARE = 0.65  #: of the scenes
_POOL = 32  #: columns of other emission
_DOSES = 2e2, 1e5  #: electrons on a flat, per pixel and segment
_GAINS = 0.01  #: standard deviation of what the gains err by
_READ_NOISE = 0.03  #: at most, in parts of a flat


@dataclass(frozen=True)
class Column:
    """A detector, how electrons leave the specimen, and how slopes are read then (None: as they are)."""

    detector: Detector
    emission: Emission = field(default_factory=Emission)
    readings: Readings | None = None


@dataclass(frozen=True)
class Scene:
    """A specimen before a detector, without noise.

    Attributes
    ----------
    column : Column
        As the reconstruction is told, the detector with the probe, gains 1 and offsets 0.
    signals : array [k, row, col]
        In units of a flat of the commonest material.
    slopes : array [2, row, col]
        Means of the slopes (right, up) over each pixel.
    rho : array [row, col]
        Material factor.
    """

    column: Column
    signals: NDArray[np.float32]
    slopes: NDArray[np.float32]
    rho: NDArray[np.float32]


def scene(recipe: Recipe, index: int) -> Scene:
    """Make a scene of the recipe's size in pixels; all lengths are in pixels of 1 nm."""
    rng = np.random.default_rng((recipe.seed, index, 2))
    height = specimen(surfaces(recipe), index) / SUBPIXELS  # its unit was a sample
    chosen = _column(recipe, rng)
    model = forward_model(
        chosen.detector, 1.0, emission=chosen.emission, azimuths=_AZIMUTHS, subpixels=SUBPIXELS, dtype=torch.float32,
        fineness=_FINENESS,
    )  # fmt: skip
    rho = _material(height.shape, rng)
    with torch.no_grad():
        samples = model.samples(np.ascontiguousarray(height)) * torch.from_numpy(rho).float()
        images = (model.response(samples) / model.flat).numpy()
    tangents = slopes(torch.from_numpy(height)).numpy() * SUBPIXELS
    edge = slice(_SURROUNDINGS_PX, -_SURROUNDINGS_PX)
    signals, mean, factor = (
        np.ascontiguousarray(each[..., edge, edge], np.float32)
        for each in (images, _binned(tangents), _binned(rho[None])[0])
    )
    return Scene(chosen, signals, mean, factor)


def surfaces(recipe: Recipe) -> Recipe:
    """Give what the surfaces of scenes are drawn from: on samples, with surroundings, most of them smooth from pixel to pixel."""
    edge = SUBPIXELS * (recipe.size + 2 * _SURROUNDINGS_PX)
    return replace(recipe, size=edge, largest_scale=_LARGEST_SCALE, noise_share=_NOISE_SHARE)


def detected(made: Scene, rng: np.random.Generator, dose: float | None = None) -> tuple[NDArray[np.float32], float]:
    """Count a scene's electrons, read them out, and get the gains a little wrong.

    `dose` is the number of electrons on a flat, per pixel and segment; None: drawn. Gives the signals, and the standard deviation
    of a flat's in parts of it, about as well as it is measured.
    """
    drawn = float(10.0 ** rng.uniform(*np.log10(_DOSES))) if dose is None else dose
    read = rng.uniform(0.0, _READ_NOISE) if rng.random() < 0.5 else 0.0
    images = made.signals
    counted = rng.poisson(np.maximum(images, 0.0) * drawn) / drawn + rng.normal(0.0, read, images.shape)
    gains = 1.0 + rng.normal(0.0, _GAINS * rng.random(), (len(images), 1, 1))
    noise = float(np.hypot(drawn**-0.5, read) * rng.uniform(0.85, 1.15))
    return np.asarray(counted * gains, np.float32), noise


def random_detector(rng: np.random.Generator) -> Detector:
    """Draw a ring of segments, not quite centred and level, and a probe; pixels are 1 nm."""
    low, high = np.deg2rad(rng.uniform(8.0, 30.0)), np.deg2rad(rng.uniform(40.0, 68.0))
    distance = float(rng.uniform(4.0, 12.0))
    count, first = int(rng.choice(_COUNTS)), float(rng.uniform(-180.0, 180.0))
    if rng.random() < 0.5:
        first = float(rng.choice((0.0, 45.0, 90.0)))
    span = 360.0 / count - float(rng.uniform(1.0, 8.0))
    azimuths = [(first + 360.0 * k / count + 180.0) % 360.0 - 180.0 for k in range(count)]
    probe = float(rng.choice((0.0, 1.0)) * rng.uniform(0.3, 1.5))
    return Detector(
        distance_mm=distance, inner_radius_mm=float(distance * np.tan(low)), outer_radius_mm=float(distance * np.tan(high)),
        center_mm=(float(rng.normal(0.0, 0.1)), float(rng.normal(0.0, 0.1))),
        tilt_deg=(float(rng.normal(0.0, 1.0)), float(rng.normal(0.0, 1.0))),
        quadrants=tuple(Segment(f"{k + 1}", a, span, 1.0, 0.0) for k, a in enumerate(azimuths)), beam=Beam(_ENERGY_KEV, probe),
    )  # fmt: skip


def _column(recipe: Recipe, rng: np.random.Generator) -> Column:
    """Draw a detector and an emission: Lambert's for most, else one of a material, of which the reconstruction is told."""
    if rng.random() < _LAMBERT_SHARE:
        return Column(random_detector(rng))
    return _told(recipe.seed, int(rng.integers(_POOL)))


@lru_cache(maxsize=_POOL)
def _told(seed: int, number: int) -> Column:
    """Make a column whose emission is known; how it is read takes half a second."""
    rng = np.random.default_rng((seed, number, 3))
    detector = random_detector(rng)
    material = Emission("parametric", str(rng.choice(materials())))
    share = rng.uniform(0.0, 1.2)
    emission = replace(material, coefficients=tuple(share * c for c in coefficients_of(material, _ENERGY_KEV)))
    return Column(detector, emission, readings_for(detector, emission))


def _material(shape: tuple[int, ...], rng: np.random.Generator) -> Float:
    """Draw a material factor: even, or of two materials in patches of random shape, most of the field in units of 1."""
    if rng.random() < 0.6:
        return np.ones(shape)
    field = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(4.0, 24.0))
    second = field > np.quantile(field, rng.uniform(0.55, 0.9))
    return np.where(second, rng.uniform(0.7, 1.4), 1.0)


def _binned(fields: Float) -> Float:
    n, rows, columns = fields.shape
    found: Float = fields.reshape(n, rows // SUBPIXELS, SUBPIXELS, columns // SUBPIXELS, SUBPIXELS).mean(axis=(2, 4))
    return found
