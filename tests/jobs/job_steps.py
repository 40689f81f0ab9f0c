"""Steps for the tests, run in the engine processes; named there as "job_steps:..."."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.core.context import Context
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.schema import quantity
from eclips_app.core.steps import Arrays, Step, StepResult


@dataclass(frozen=True)
class Params:
    count: int = quantity(3, low=0, high=1_000_000)
    text: str = ""
    facts: tuple[float, ...] = ()


def echo(inputs: Arrays, params: Params, context: Context) -> StepResult:
    """Give the inputs back and say whether they could be written to."""
    info = {name: {"writable": bool(a.flags.writeable), "sum": a.sum()} for name, a in inputs.items()}
    return StepResult(dict(inputs), {**info, "pid": os.getpid(), "params": params.text})


def double(inputs: Arrays, params: Params, context: Context) -> StepResult:
    return StepResult({name: 2 * a for name, a in inputs.items()}, {"pid": os.getpid()})


def count(inputs: Arrays, params: Params, context: Context) -> StepResult:
    """Report often, and show a preview at each report."""
    for i in range(params.count):
        context.progress((i + 1) / params.count, f"part {i + 1}")
        context.preview("part", np.full((4, 4), i, np.float32), part=float(i))
        time.sleep(0.002)
    return StepResult()


def spin(inputs: Arrays, params: Params, context: Context) -> StepResult:
    """Go on until told to stop."""
    context.progress(0.5, "spinning")
    while True:
        context.check()
        time.sleep(0.005)


def spin_and_keep(inputs: Arrays, params: Params, context: Context) -> StepResult:
    """Give the best so far when told to stop."""
    context.progress(0.5, "spinning")
    try:
        while True:
            context.check()
            time.sleep(0.005)
    except Cancelled:
        return StepResult({"best": np.ones(3)})


def deaf(inputs: Arrays, params: Params, context: Context) -> StepResult:
    """Never check, and leave a shared array behind when ended."""
    context.preview("before", np.zeros((8, 8)))
    context.progress(0.1, "deaf")
    while True:
        np.linalg.svd(np.ones((30, 30)))


def wait_for_file(inputs: Arrays, params: Params, context: Context) -> StepResult:
    """Pretend to write a file: wait until another exists, then make one."""
    context.progress(0.1, "writing")
    go = Path(params.text)
    while not go.exists():
        time.sleep(0.005)
    go.with_suffix(".written").write_text("whole")
    return StepResult(info={"pid": os.getpid()})


def die(inputs: Arrays, params: Params, context: Context) -> StepResult:
    context.progress(0.5, "dying")
    os.kill(os.getpid(), signal.SIGKILL)
    return StepResult()


def abort(inputs: Arrays, params: Params, context: Context) -> StepResult:
    os.abort()


def leave(inputs: Arrays, params: Params, context: Context) -> StepResult:
    os._exit(3)


def explain(inputs: Arrays, params: Params, context: Context) -> StepResult:
    raise EclipsError("the image is black", where="a.tif", hint="Choose another.")


def stumble(inputs: Arrays, params: Params, context: Context) -> StepResult:
    raise ZeroDivisionError("by accident")


def devour(inputs: Arrays, params: Params, context: Context) -> StepResult:
    return StepResult({"huge": np.zeros((1 << 24, 1 << 24))})


def give_objects(inputs: Arrays, params: Params, context: Context) -> StepResult:
    return StepResult(info={"thing": context})


def numbers(inputs: Arrays, params: Params, context: Context) -> StepResult:
    """Facts as numpy gives them."""
    context.progress(float("nan"), "no number")
    return StepResult(info={"mean": np.float32(1.5), "size": np.int64(7), "shift": np.array([1.0, 2.0])})


def step(name: str, version: int = 1) -> Step:
    """Give one of these as a step."""
    any_name: Any = globals()[name]
    return Step(name, version, f"{any_name.__module__}:{name}", Params)
