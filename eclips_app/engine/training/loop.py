"""The training loop: any network, any samples, any loss.

A training is given by its `Task` and `Plan`. All randomness follows from the plan's seed and the number of the step, so that a
training that was killed goes on from its last checkpoint to the bits it would have had (on the same device with the same number
of threads; with a limit of time the schedule follows the clock, and then it does not).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from eclips_app.core.context import Context
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.engine.training.checkpoint import read_checkpoint, write_checkpoint
from eclips_app.engine.training.hard import HardSamples
from eclips_app.engine.training.optim import Optimisers, optimisers
from eclips_app.engine.training.precision import choose_precision

_CURVE_EVERY = 10  #: steps whose mean loss is a point of the curve that is shown

Sample = Mapping[str, NDArray[np.float32]]
Batch = dict[str, torch.Tensor]
State = dict[str, torch.Tensor]


class Task(Protocol):
    """What is trained on what."""

    @property
    def net(self) -> nn.Module:
        """The network, with its first weights (made after `torch.manual_seed`)."""

    def sample(self, index: int) -> Sample:
        """Give sample `index` (from 0, without end), always the same; all samples have the same shapes."""

    def losses(self, net: nn.Module, batch: Batch) -> torch.Tensor:
        """Give the loss of each sample of a batch (samples stacked along a first axis), [n]."""

    def scores(self, net: nn.Module) -> dict[str, float]:
        """Judge on held-out samples; the least "error" is the best."""


@dataclass(frozen=True)
class Plan:
    """How long and how a network is trained.

    Attributes
    ----------
    steps : int
        Updates at most.
    minutes : float, optional
        Limit of time, earlier sessions of the same training included; the learning rate then falls with the clock.
    batch : int
        Samples of an update.
    hard_share : float
        Part of a batch that is drawn from the samples with the largest loss.
    precision : str
        "auto": bfloat16 products on CUDA where a trial is faster, single precision elsewhere (this CPU's bfloat16 may be 30
        times slower); "float32" or "bfloat16" to choose.
    judge_every : int
        Steps between two judgements on held-out samples.
    """

    steps: int = 1000
    minutes: float | None = None
    batch: int = 8
    rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: float = 0.03
    longest_gradient: float = 1.0
    ema: float = 0.998
    muon: bool = True
    hard_share: float = 0.25
    hard_room: int = 256
    precision: str = "auto"
    judge_every: int = 100
    checkpoint_s: float = 60.0
    seed: int = 0


@dataclass
class Trained:
    """What a training gives: the averaged weights that judged best, and its history.

    `history` has a row for each judgement: ``step``, ``seconds`` (of training), ``loss`` (mean since the row before) and scores.
    `curve` has (step, mean loss) every few steps.
    """

    state: State
    history: list[dict[str, float]]
    curve: list[tuple[float, float]]
    steps: int
    seconds: float
    optimiser: str
    precision: str
    stopped: bool = False


@dataclass
class _Run:
    """Everything that changes while training; what a checkpoint holds."""

    net: nn.Module
    optimiser: Optimisers
    averaged: State
    hard: HardSamples
    best: State
    best_error: float = float("inf")
    step: int = 0
    fresh: int = 0  #: samples used so far that were not drawn as hard ones
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    precision: str = ""
    history: list[dict[str, float]] = field(default_factory=list)
    curve: list[tuple[float, float]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)  #: losses since the last point of the curve


def train(
    task: Task, plan: Plan, context: Context, device: torch.device, checkpoint: Path | None = None, *, resume: bool = False
) -> Trained:  # fmt: skip
    """Train; gives the best weights so far also when told to stop.

    Parameters
    ----------
    task, plan : Task, Plan
    context : Context
        Hears the progress; sees preview "loss" [n, 2] (step, mean loss); its `Cancelled` (or Ctrl+C) ends the training.
    device : torch.device
    checkpoint : Path, optional
        File to go on from after a kill, written every `checkpoint_s` and at the end.
    resume : bool
        Go on from the checkpoint if it is there.

    Raises
    ------
    EclipsError
        The checkpoint is broken or belongs to another network.
    """
    run = _start(task, plan, device)
    if resume and checkpoint is not None and checkpoint.exists():
        _restore(run, read_checkpoint(checkpoint), device, str(checkpoint))
    run.precision = run.precision or choose_precision(
        plan.precision, run.net, partial(_first_loss, run, task, plan), device
    )
    stopped, started, saved = False, time.monotonic() - run.seconds, time.monotonic()
    try:
        while run.step < plan.steps and (plan.minutes is None or run.seconds < 60.0 * plan.minutes):
            context.check()
            _update(run, task, plan, device)
            _plot(run, context)
            run.seconds = time.monotonic() - started
            if run.step % plan.judge_every == 0 or run.step == plan.steps:
                _judge(run, task)
            if checkpoint is not None and time.monotonic() - saved > plan.checkpoint_s:
                write_checkpoint(checkpoint, _content(run))
                saved = time.monotonic()
            context.progress(_done(run, plan), _words(run, plan))
    except (Cancelled, KeyboardInterrupt):
        stopped = True
    if run.loss_count or not run.history:
        _judge(run, task)
    if checkpoint is not None:
        write_checkpoint(checkpoint, _content(run))
    return Trained(run.best, run.history, run.curve, run.step, run.seconds, run.optimiser.note, run.precision, stopped)


def stacked(samples: list[Sample], device: torch.device) -> Batch:
    """Put samples into a batch."""
    return {name: torch.from_numpy(np.stack([s[name] for s in samples])).to(device) for name in samples[0]}


def _start(task: Task, plan: Plan, device: torch.device) -> _Run:
    net = task.net.to(device).train()
    first = {name: value.detach().clone() for name, value in net.state_dict().items()}
    made = optimisers(net, plan.rate, plan.weight_decay, muon=plan.muon)
    return _Run(net, made, first, HardSamples(plan.hard_room), {n: v.clone() for n, v in first.items()})


def _done(run: _Run, plan: Plan) -> float:
    by_clock = 0.0 if plan.minutes is None else run.seconds / (60.0 * plan.minutes)
    return min(max(run.step / plan.steps, by_clock), 1.0)


def _words(run: _Run, plan: Plan) -> str:
    last = run.history[-1] if run.history else {}
    loss = run.loss_sum / run.loss_count if run.loss_count else last.get("loss", float("nan"))
    error = f", held-out error {last['error']:.4g}" if last else ""
    return f"step {run.step} of {plan.steps}, loss {loss:.4g}{error}"


def _update(run: _Run, task: Task, plan: Plan, device: torch.device) -> None:
    """Take one step."""
    rng = np.random.default_rng((plan.seed, run.step))
    hard = run.hard.draw(round(plan.hard_share * plan.batch), rng)
    new = list(range(run.fresh, run.fresh + plan.batch - len(hard)))
    batch = stacked([task.sample(index) for index in (*new, *hard)], device)
    with torch.autocast(device.type, torch.bfloat16, enabled=run.precision == "bfloat16"):
        losses = task.losses(run.net, batch)
    run.optimiser.step(losses.mean(), _done(run, plan), plan.warmup, plan.longest_gradient)
    if plan.hard_share:
        run.hard.learn([*new, *hard], losses.detach().float().tolist())
    run.fresh += len(new)
    run.step += 1
    # Hard samples would make the curve look worse than the network is.
    loss = float((losses.detach()[: len(new)] if new else losses.detach()).float().mean())
    run.recent.append(loss)
    run.loss_sum += loss
    run.loss_count += 1
    keep = min(plan.ema, (1.0 + run.step) / (10.0 + run.step))
    for name, value in run.net.state_dict().items():
        if value.is_floating_point():
            run.averaged[name].lerp_(value, 1.0 - keep)
        else:
            run.averaged[name].copy_(value)


def _judge(run: _Run, task: Task) -> None:
    """Judge the averaged weights, note it, and keep them if they are the best."""
    own = {name: value.detach().clone() for name, value in run.net.state_dict().items()}
    run.net.load_state_dict(run.averaged)
    run.net.eval()
    with torch.no_grad():
        scores = task.scores(run.net)
    run.net.load_state_dict(own)
    run.net.train()
    loss = run.loss_sum / max(run.loss_count, 1)
    run.history.append({"step": run.step, "seconds": run.seconds, "loss": loss, **scores})
    run.loss_sum, run.loss_count = 0.0, 0
    if scores["error"] < run.best_error:
        run.best_error = scores["error"]
        run.best = {name: value.clone() for name, value in run.averaged.items()}


def _first_loss(run: _Run, task: Task, plan: Plan) -> torch.Tensor:
    """Give the loss of the first samples, to try how long it takes."""
    device = next(run.net.parameters()).device
    return task.losses(run.net, stacked([task.sample(index) for index in range(plan.batch)], device)).mean()


def _plot(run: _Run, context: Context) -> None:
    """Add a point to the curve, if it is time, and show it."""
    if run.step % _CURVE_EVERY == 0:
        run.curve.append((float(run.step), float(np.mean(run.recent))))
        run.recent = []
        error = run.history[-1]["error"] if run.history else float("nan")
        context.preview("loss", np.array(run.curve), error=error)


_PLAIN = ("best_error", "step", "fresh", "seconds", "loss_sum", "loss_count", "precision", "history", "curve", "recent")


def _content(run: _Run) -> dict[str, Any]:
    plain = {name: getattr(run, name) for name in _PLAIN}
    own = run.net.state_dict()
    tensors = {"net": own, "averaged": run.averaged, "best": run.best, "optimiser": run.optimiser.state()}
    return {**plain, **tensors, "hard": run.hard.kept}


def _restore(run: _Run, content: dict[str, Any], device: torch.device, where: str) -> None:
    try:
        for name in _PLAIN:
            setattr(run, name, content[name])
        run.net.load_state_dict(content["net"])
        run.averaged = {name: value.to(device) for name, value in content["averaged"].items()}
        run.best = {name: value.to(device) for name, value in content["best"].items()}
        run.optimiser.restore(content["optimiser"])
        run.hard.kept = content["hard"]
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise EclipsError(
            "this checkpoint belongs to another network or optimiser", where=where, hint="Train without --resume."
        ) from error
