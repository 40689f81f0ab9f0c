"""Distilling: a DSM learns from the images that the exact model, or Monte Carlo, makes of random specimens.

The exact model teaches what is hidden. Monte Carlo (`engine.raytrace`), which shares no code with it, may teach whatever it
knows beyond the tables; its noise averages out in the squared error, whose best answer is the mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.training import Train
from eclips_app.engine.forward.model import ForwardModel, density, emitted_spectrum, forward_model, slopes
from eclips_app.engine.raytrace.disc import from_density
from eclips_app.engine.raytrace.image import trace_image
from eclips_app.engine.surrogates.dsm import DSM, Layout, reflectance
from eclips_app.engine.surrogates.dsm_file import metadata_of
from eclips_app.engine.surrogates.measure import DARK
from eclips_app.engine.training.card import Card
from eclips_app.engine.training.loop import Batch, Plan, Sample, Trained
from eclips_app.engine.training.specimens import Recipe, specimen
from eclips_app.engine.training.step import Prepared

RATE = 2e-2  #: of learning, at most
_JUDGED = 24  #: held-out specimens
_SMALL = 0.02  #: errors below this part of a flat's signal count with their squares
_STEEPENED = 0.75  #: part of the specimens that is stretched
_STEEP = 1.0, 3.5  #: slopes of their steep parts, in units of that of the lowest ray
_LEAST_LOWEST, _MOST_STRETCH = 0.3, 8.0
_RARE = 1e-3  #: steeper slopes than these are too rare to learn from
_OTHER_SEED = 1 << 20  #: of the specimens to judge by
_SCORES = {
    "bsesm": "error, p99: mean and 99th percentile over pixels and segments, in parts of the exact signal, or of "
    f"{DARK:g} of a flat's where that is larger. plain, plain_p99: the same without the network.",
    "mc": "Root mean squares of the differences to the images of Monte Carlo without the part of their noise, in parts of a "
    "flat. plain: without the network; bsesm: of the exact model.",
}


@dataclass(frozen=True)
class Lesson:
    """What a DSM learns.

    Attributes
    ----------
    detector, emission : Detector, Emission
        Whose images.
    recipe : Recipe
        Specimens, of an even number of pixels.
    teacher : str
        "bsesm": the exact model; "mc": Monte Carlo.
    rays : int
        Electrons followed from each sample, with "mc".
    channels : int
        Size of the network.
    seed : int
        Of its first weights.
    """

    detector: Detector
    emission: Emission
    recipe: Recipe
    teacher: str = "bsesm"
    rays: int = 400
    channels: int = 48
    seed: int = 0


def surfaces(size: int, seed: int) -> Recipe:
    """Give what specimens are drawn from, without the noise of measured maps: stretching would make walls of it."""
    return Recipe(size, seed, noise_share=0.0)


def layout_for(segments: int, lowest: float, channels: int = 48) -> Layout:
    """Give a network that sees far enough for the slope of the lowest ray: what hides a low ray may stand far away."""
    dilations = (1, 1, 2, 2, 1, 1) if lowest > 0.5 else (1, 2, 3, 3, 2, 1)
    return Layout(segments, channels, dilations, lowest)


class Distillation:
    """A task of the training loop."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self.model: ForwardModel = forward_model(
            lesson.detector, 1.0, emission=lesson.emission, azimuths=32, dtype=torch.float32
        )
        torch.manual_seed(lesson.seed)
        count, lowest = len(lesson.detector.quadrants), float(self.model.sectors.bounds[0])
        layout = layout_for(count, lowest, lesson.channels)
        if lesson.teacher == "mc":  # may add as well as take away
            layout = Layout(count, lesson.channels, layout.dilations)
        self.net: nn.Module = DSM(layout)

    @property
    def layout(self) -> Layout:
        """Size of the network."""
        assert isinstance(self.net, DSM)
        return self.net.layout

    def sample(self, index: int) -> Sample:
        """Give slopes with a margin, reflectance and images of a specimen, in units of a flat."""
        return self._labelled(self.specimen(index), index)

    def specimen(self, index: int) -> NDArray[np.float64]:
        """Give the heights of specimen `index` in pixels."""
        return self._steepened(specimen(self.lesson.recipe, index), index)

    def losses(self, net: nn.Module, batch: Batch) -> Tensor:
        """Give the mean errors of the images, small ones squared; of noisy images all are."""
        found, wanted = net(batch["around"]) * batch["reflectance"], batch["images"]
        if self.lesson.teacher == "mc":
            squared: Tensor = (found - wanted).square().mean((1, 2, 3))
            return squared
        return nn.functional.smooth_l1_loss(found, wanted, reduction="none", beta=_SMALL).mean((1, 2, 3))

    def scores(self, net: nn.Module) -> dict[str, float]:
        """Give errors on held-out specimens, in parts of the exact signal, or of `DARK` flats where that is larger.

        ``error``: mean; ``p99``: 99th percentile; ``plain`` and ``plain_p99``: those of the reflectance without the network.
        Of noisy images, what is left of root mean squares when the noise is taken out, in parts of a flat: ``error``,
        ``plain``, and ``bsesm``, that of the exact model.
        """
        batch = self._held_out
        with torch.no_grad():
            found = [net(part) for part in torch.split(batch["around"], 8)]
            made = torch.cat(found) * batch["reflectance"]
        exact = batch["images"]
        if self.lesson.teacher == "mc":
            images = {"error": made, "plain": batch["reflectance"], "bsesm": batch["bsesm"]}
            return {name: _true_rms(image - exact, batch["noise"]) for name, image in images.items()}
        ours, plain = ((x - exact).abs() / exact.clamp(min=DARK) for x in (made, batch["reflectance"]))
        return {
            "error": float(ours.mean()), "p99": _high(ours), "plain": float(plain.mean()), "plain_p99": _high(plain),
        }  # fmt: skip

    @cached_property
    def _held_out(self) -> Batch:
        recipe = self.lesson.recipe
        other = replace(recipe, seed=recipe.seed + _OTHER_SEED)
        device = next(self.net.parameters()).device
        heights = [self._steepened(specimen(other, i), i) for i in range(_JUDGED)]
        made = [self._labelled(height, i) for i, height in enumerate(heights)]
        if self.lesson.teacher == "mc":
            exact = [np.asarray(self.model.samples(height) / self.model.flat, np.float32) for height in heights]
            made = [{**each, "bsesm": image} for each, image in zip(made, exact, strict=True)]
        return {name: torch.from_numpy(np.stack([each[name] for each in made])).to(device) for name in made[0]}

    def _steepened(self, height: NDArray[np.float64], index: int) -> NDArray[np.float64]:
        """Stretch most specimens until they hide much: gentle ones teach nothing."""
        rng = np.random.default_rng((self.lesson.recipe.seed, index, 1))
        lowest = max(float(self.model.sectors.bounds[0]), _LEAST_LOWEST)
        steep = float(np.quantile(slopes(torch.from_numpy(height)).square().sum(0).sqrt().numpy(), 0.95))
        if rng.random() > _STEEPENED or steep < 1e-3:
            return height
        return height * min(rng.uniform(*_STEEP) * lowest / steep, _MOST_STRETCH)

    def _labelled(self, height: NDArray[np.float64], index: int) -> Sample:
        tangents = slopes(torch.from_numpy(height).float())
        with torch.no_grad():
            plain = reflectance(self.model, tangents) / self.model.flat
        around = nn.functional.pad(tangents, (self.layout.reach,) * 4)
        images, noise = self._images(np.require(height, np.float64, ["C", "W"]), index)
        return {"around": around.numpy(), "reflectance": plain.numpy(), "images": images, "noise": noise}

    def _images(self, height: NDArray[np.float64], index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give images [k, row, col] in units of a flat, and the standard deviation of their noise."""
        lesson = self.lesson
        if lesson.teacher != "mc":
            exact = np.asarray(self.model.samples(height) / self.model.flat, np.float32)
            return exact, np.zeros((1, 1, 1), np.float32)
        shape = None if lesson.emission.model == "lambert" else from_density(density(lesson.detector, lesson.emission))
        signal, noise = trace_image(
            height, 1.0, lesson.detector, lesson.rays, index, emission=shape,
            spectrum=emitted_spectrum(lesson.detector, lesson.emission),
        )  # fmt: skip
        return (signal / self.model.flat).astype(np.float32), (noise / self.model.flat).astype(np.float32)


def steepest_learnt(task: Distillation, count: int = 48) -> float:
    """Give the slope beyond which hardly any sample of the specimens lies."""
    reach = task.layout.reach
    around = torch.stack([torch.from_numpy(task.sample(i)["around"]) for i in range(count)])
    steep = around[..., reach:-reach, reach:-reach].square().sum(1).sqrt()
    return float(np.quantile(steep.numpy(), 1.0 - _RARE))


def prepare(inputs: Mapping[str, NDArray[Any]], params: Train) -> Prepared:
    """Prepare the distillation for a detector.

    Raises
    ------
    EclipsError
        No detector, one that nothing reaches, measured maps (all specimens are synthetic), or an odd size.
    """
    if params.detector is None:
        raise EclipsError("a DSM is distilled for one detector", hint="Give --detector.")
    if inputs:
        raise EclipsError("a DSM learns from synthetic specimens alone", hint="Leave --afm out.")
    if params.size_px % 2:
        raise EclipsError(f"specimens of {params.size_px} px cannot be halved", hint="Give an even --size.")
    recipe = surfaces(params.size_px, params.seed)
    task = Distillation(Lesson(params.detector, params.emission, recipe, params.teacher, params.rays, seed=params.seed))
    plan = Plan(params.steps, params.minutes, params.batch, RATE, judge_every=100, seed=params.seed)
    steepest = steepest_learnt(task)

    def metadata(trained: Trained) -> dict[str, str]:
        lesson = task.lesson
        return metadata_of(task.layout, lesson.detector, lesson.emission, steepest, lesson.teacher) | {
            "recipe": recipe.words(), "steps": str(trained.steps),
            "error": f"{min(row['error'] for row in trained.history):.6f}",
        }  # fmt: skip

    return Prepared(task, plan, card(task), metadata)


def card(task: Distillation) -> Card:
    """Describe a distillation."""
    lesson, layout = task.lesson, task.layout
    teacher = "exact model (BSESM)" if lesson.teacher == "bsesm" else f"Monte Carlo, {lesson.rays} electrons a sample"
    return Card(
        f"DSM for {lesson.detector.name}",
        "Gives the images of one detector from the slopes of a surface: the reflectance of its tangent planes, from the tables "
        f"of the physics, times what the network leaves of it. Emission: {lesson.emission.model}.",
        f"Local relief by a fixed filter, then {len(layout.dilations)} convolutions of 3 x 3 with "
        f"{layout.channels} channels at half the resolution, dilations {', '.join(map(str, layout.dilations))}; it sees "
        f"{layout.reach} px far.",
        f"Random specimens: {lesson.recipe.words()}; {100 * _STEEPENED:.0f} % of them stretched until their steep parts are "
        f"{_STEEP[0]:g} to {_STEEP[1]:g} times as steep as the lowest ray that the detector takes. Images by the {teacher}.",
        "Other detectors and emission models are refused, steeper slopes and occluders out of sight are flagged. On a processor "
        "the exact model is faster and has no error.",
        _SCORES[lesson.teacher],
    )


def _true_rms(differences: Tensor, noise: Tensor) -> float:
    """Give the root mean square of differences without the part of their noise."""
    return math.sqrt(max(float((differences.double().square() - noise.double().square()).mean()), 0.0))


def _high(values: Tensor) -> float:
    return float(np.percentile(values.cpu().numpy(), 99))
