"""The step "train": prepares what a network needs, trains it, writes weights and card."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import StepResult
from eclips_app.core.training import Train
from eclips_app.engine.device import choose_device
from eclips_app.engine.training.card import Card, write_card
from eclips_app.engine.training.loop import Plan, Task, Trained, train
from eclips_app.engine.training.specimens import Recipe, split_files
from eclips_app.engine.training.weights import check_output, write_weights

#: Networks that can be trained: a function that gives what is trained on what, from the step's inputs and parameters.
NETWORKS = {
    "vft": "eclips_app.engine.surrogates.vft_task:prepare",
    "dsm": "eclips_app.engine.surrogates.distil:prepare",
    "unet": "eclips_app.engine.learned.task:prepare",
    "pinn": "eclips_app.engine.integrators.pinn_task:prepare",
}
_JUDGED_SEED = 1 << 20  #: beside which the seed of no training lies: those are added to it
_SMALLEST_MAP = 16  #: pixels along its shorter edge


@dataclass(frozen=True)
class Prepared:
    """A training that is ready to start.

    ``plan`` has the network's own choices (rate, share of hard samples); steps, time, batch and seed are the user's.
    ``metadata`` gives the texts that are written into the file of the weights, from what the training gave.
    """

    task: Task
    plan: Plan
    card: Card
    metadata: Callable[[Trained], dict[str, str]]


def measured_maps(inputs: Mapping[str, NDArray[Any]], params: Train) -> dict[str, NDArray[np.float64]]:
    """Give the measured maps among the inputs of the step in pixels, by their names.

    Raises
    ------
    EclipsError
        One has holes or is too small, or the pixel size of one is missing.
    """
    names = sorted((name for name in inputs if name.startswith("map/")), key=lambda name: int(name[4:]))
    if len(names) != len(params.map_pixels_nm):
        raise EclipsError(
            f"{len(names)} height maps have {len(params.map_pixels_nm)} pixel sizes", hint="Give one for each."
        )
    maps = {n: np.asarray(inputs[n], np.float64) / nm for n, nm in zip(names, params.map_pixels_nm, strict=True)}
    if not all(np.isfinite(height).all() for height in maps.values()):
        raise EclipsError("a height map to train on has holes", hint="Fill them first, or leave the map out.")
    if any(min(height.shape) < _SMALLEST_MAP for height in maps.values()):
        raise EclipsError(
            f"a height map to train on has an edge of less than {_SMALLEST_MAP} pixels", hint="Leave it out."
        )
    return maps


def recipes(inputs: Mapping[str, NDArray[Any]], params: Train, pixels: int | None = None) -> tuple[Recipe, Recipe]:
    """Give what specimens are drawn from, to train on and to judge by; measured maps are split by file.

    `pixels` is the edge of a specimen, by default that of the parameters.
    """
    maps = measured_maps(inputs, params)
    known, held_out = split_files(list(maps)) if maps else ([], [])
    size = pixels or params.size_px
    return (
        Recipe(size, params.seed, [maps[name] for name in known]),
        Recipe(size, _JUDGED_SEED + params.seed, [maps[name] for name in held_out]),
    )


def train_step(inputs: Mapping[str, NDArray[Any]], params: Train, context: Context) -> StepResult:
    """Train; see `Train`.

    Raises
    ------
    EclipsError
        The output cannot be written, there is one measured map alone, or the checkpoint to go on from is broken.
    """
    output = check_output(params.output)
    device = choose_device(params.device)
    torch.manual_seed(params.seed)
    module, _, function = NETWORKS[params.network].partition(":")
    prepared: Prepared = getattr(importlib.import_module(module), function)(inputs, params)
    trained = train(
        prepared.task, prepared.plan, context, device, output.with_suffix(".checkpoint"), resume=params.resume
    )
    write_weights(output, trained.state, prepared.metadata(trained))
    parameters = sum(p.numel() for p in prepared.task.net.parameters())
    write_card(output.with_suffix(".md"), prepared.card, prepared.plan, trained, parameters, device)
    facts = {
        "history": trained.history, "steps": trained.steps, "seconds": trained.seconds, "optimiser": trained.optimiser,
        "precision": trained.precision, "stopped": trained.stopped, "output": str(output), "parameters": parameters,
    }  # fmt: skip
    return StepResult({"loss": np.array(trained.curve).reshape(-1, 2)}, facts)
