"""What `eclips bench surrogates` measures of horizon networks, beside the exact model and what needs no network."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from eclips_app.core.context import SilentContext
from eclips_app.core.training import Train
from eclips_app.engine.device import one_thread
from eclips_app.engine.forward.model import ForwardModel
from eclips_app.engine.forward.model import slopes as slopes_of
from eclips_app.engine.surfaces import KINDS
from eclips_app.engine.surrogates.horizon_net import ChordsOnly, HorizonNet, TangentOnly
from eclips_app.engine.surrogates.measure import DARK, compare, measured_model
from eclips_app.engine.surrogates.physics import signal
from eclips_app.engine.surrogates.render import render
from eclips_app.engine.surrogates.unet import UNet
from eclips_app.engine.surrogates.vft import Vft
from eclips_app.engine.surrogates.vft_task import HorizonTask, prepare
from eclips_app.engine.surrogates.vft_weights import Range, out_of_range
from eclips_app.engine.training.labels import horizons, segments, slopes
from eclips_app.engine.training.loop import train
from eclips_app.engine.training.specimens import Recipe, specimen

Float = NDArray[np.float64]
Row = dict[str, Any]
Images = Callable[[Tensor], Tensor]

UNSEEN_SEED = 7 << 24  #: neither training nor the choice of the best weights has seen these specimens
CLASSES_DEG = (0.0, 15.0, 30.0, 45.0, 60.0, 90.0)  #: of the pixel's own inclination
_FINE_AZIMUTHS = 64


def specimens(count: int, size: int) -> list[Float]:
    """Give unseen specimens of the kind trained on, in pixels."""
    return [specimen(Recipe(size, UNSEEN_SEED), index) for index in range(count)]


def defaults(size: int) -> list[Float]:
    """Give one of each synthetic surface with its usual parameters."""
    return [make((size, size), 1.0, 11) for make in KINDS.values()]


def stretched(heights_px: Float, rms_slope: float) -> Float:
    """Give heights whose slopes have another root mean square."""
    down, right = np.gradient(heights_px)
    return heights_px * (rms_slope / max(float(np.sqrt((down**2 + right**2).mean())), 1e-12))


def accuracy(net: Vft, learnt: Range, sets: Mapping[str, list[Float]]) -> list[Row]:
    """Give errors of intensity and horizon for each set of surfaces and each model; see `measure.Errors`."""
    models = _models(net)
    found: list[Row] = []
    for name, heights in sets.items():
        flagged = np.mean([_flagged(net, learnt, h) for h in heights])
        for title, model in models.items():
            errors = [_errors(model, h) for h in heights]
            angle = torch.cat([e.angle_deg.flatten() for e in errors])
            relative = np.concatenate([e.relative.numpy().ravel() for e in errors])
            row = {**_summary(relative), "horizon_rms_deg": float(angle.square().mean().sqrt())}
            row["flagged_percent"] = 100.0 * float(flagged) if model is net else None
            found.append({"surfaces": f"{name} ({len(heights)})", "model": title, **row})
        coarse = np.concatenate([_sector_error(h, net.azimuths).ravel() for h in heights])
        row = {**_summary(coarse), "horizon_rms_deg": None, "flagged_percent": None}
        title = f"exact, {net.azimuths} azimuths instead of {_FINE_AZIMUTHS}"
        found.append({"surfaces": f"{name} ({len(heights)})", "model": title, **row})
    return found


def by_slope(net: Vft, heights: list[Float]) -> list[Row]:
    """Give the horizon's error in degrees by the pixels' inclination, for all azimuths and for those that something blocks."""
    models = _models(net)
    tilt = torch.cat([_tilt_deg(h).flatten() for h in heights])
    angles = {n: torch.cat([_errors(m, h).angle_deg.flatten(1) for h in heights], 1) for n, m in models.items()}
    blocked = angles["tangent plane only"] < -0.1
    rows: list[Row] = []
    for low, high in pairwise(CLASSES_DEG):
        chosen = (tilt >= low) & (tilt < high)
        if not chosen.any():
            continue
        here = blocked[:, chosen]
        row: Row = {"inclination_deg": f"{low:.0f} to {high:.0f}", "pixels": int(chosen.sum())}
        row["blocked_percent"] = 100.0 * float(here.float().mean())
        for name, angle in angles.items():
            part = angle[:, chosen]
            row[f"{name}: rms_deg"] = float(part.square().mean().sqrt())
            row[f"{name}: rms_blocked_deg"] = float(part[here].square().mean().sqrt()) if here.any() else None
        rows.append(row)
    return rows


def times(net: Vft, sizes: tuple[int, ...], device: torch.device) -> list[Row]:
    """Time images and their gradient by the heights: exact model and network; seconds of all threads, and of the clock."""
    rows: list[Row] = []
    base = measured_model(net.azimuths)
    for size in sizes:
        height = torch.from_numpy(KINDS["rough"]((size, size), 1.0, 3)).float().to(device)
        model = base.to(device, torch.float32)
        moved = net.to(device)
        runs: dict[str, Images] = {"exact": model.images, "vft": partial(_rendered, moved, model)}
        for name, images in runs.items():
            with torch.no_grad():
                plain = _timed(partial(images, height), device)
            both = _timed(partial(_loss_gradient, images, height, torch.zeros(())), device)
            rows.append({
                "model": name, "pixels": f"{size} x {size}", "device": device.type, "images_cpu_s": plain[0],
                "images_wall_s": plain[1], "images_and_gradient_cpu_s": both[0], "images_and_gradient_wall_s": both[1],
            })  # fmt: skip
    net.to(torch.device("cpu"))
    return rows


def gradients(net: Vft, heights: list[Float], seed: int = 1) -> list[Row]:
    """Compare gradients of the sum of squared image differences by the heights with the exact ones: cosine, ratio of lengths.

    The heights at which they are taken differ from those of the images by smooth noise, as early in a reconstruction (a tenth
    of the relief), and late (a hundredth).
    """
    model = measured_model(net.azimuths)
    others = {name: partial(_images, other, model) for name, other in _models(net).items()}
    return gradient_rows(heights, model.images, lambda true: torch.from_numpy(segments(model, true)), others, seed)


def gradient_rows(
    heights: list[Float], exact: Images, measured_of: Callable[[Float], Tensor], others: Mapping[str, Images], seed: int
) -> list[Row]:
    """Compare the gradients through `others` with those through the `exact` images; see `gradients`."""
    rows: list[Row] = []
    for stage, share in (("early, off by 10 % of the relief", 0.1), ("late, off by 1 %", 0.01)):
        pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in others}
        for number, true in enumerate(heights):
            noise = ndimage.gaussian_filter(np.random.default_rng((seed, number)).standard_normal(true.shape), 2.0)
            start = torch.from_numpy(true + noise * (share * true.std() / noise.std())).float()
            measured = measured_of(true)
            right = _loss_gradient(exact, start, measured)
            for name, images in others.items():
                given = _loss_gradient(images, start, measured)
                cosine = float((given * right).sum() / (given.norm() * right.norm()))
                pairs[name].append((cosine, float(given.norm() / right.norm())))
        for name, values in pairs.items():
            cosines, ratios = np.array(values).T
            rows.append({
                "stage": stage, "model": name, "cosine_mean": float(cosines.mean()), "cosine_least": float(cosines.min()),
                "length_ratio_mean": float(ratios.mean()),
            })  # fmt: skip
    return rows


def optimiser_curves(
    steps: int, size: int, seed: int = 5, report: Callable[[float], None] = lambda _: None
) -> list[Row]:
    """Train the same budget of steps in several ways; gives the held-out error in percent of the intensity on the way.

    The last columns are the 99th percentile at the end, and the time.
    """
    every = max(steps // 4, 1)
    params = Train("vft", "curves.safetensors", steps=steps, batch=6, size_px=size, seed=seed)
    ways = {
        "vft, Muon + hard samples": (True, 0.25, False), "vft, Muon": (True, 0.0, False),
        "vft, AdamW": (False, 0.0, False), "U-Net, AdamW": (False, 0.0, True),
    }  # fmt: skip
    rows: list[Row] = []
    for number, (name, (muon, hard, unet)) in enumerate(ways.items()):
        report(number / len(ways))
        torch.manual_seed(seed)
        prepared = prepare({}, params)
        task = prepared.task
        assert isinstance(task, HorizonTask)
        if unet:
            task.net = UNet(task.net.azimuths)
        rate = prepared.plan.rate if muon else 2e-3  # AdamW is unsteady at Muon's
        plan = replace(prepared.plan, rate=rate, muon=muon, hard_share=hard, judge_every=every, precision="float32")
        found = train(task, plan, SilentContext(), torch.device("cpu"))
        row: Row = {"training": name, "parameters": sum(p.numel() for p in task.net.parameters())}
        row |= {f"step_{int(h['step'])}": 100.0 * h["error"] for h in found.history}
        rows.append({**row, "p99_percent": 100.0 * found.history[-1]["p99"], "seconds": found.seconds})
    return rows


def _models(net: Vft) -> dict[str, HorizonNet]:
    """Give the network and what needs none."""
    return {"vft": net, "chords only": ChordsOnly(net.azimuths), "tangent plane only": TangentOnly(net.azimuths)}


def _errors(net: HorizonNet, height_px: Float) -> Any:
    given = torch.from_numpy(slopes(height_px))
    with torch.no_grad():
        found = net(given[None])[0]
    exact = torch.from_numpy(horizons(height_px, net.azimuths))
    return compare(given, found, exact, measured_model(net.azimuths))


def _sector_error(height_px: Float, azimuths: int) -> NDArray[np.floating]:
    """Give what fewer azimuths cost the exact model, relative as `measure.Errors` has it."""
    coarse, fine = (segments(measured_model(n), height_px) for n in (azimuths, _FINE_AZIMUTHS))
    return np.asarray(np.abs(coarse - fine) / np.maximum(fine, DARK))


def _summary(relative: NDArray[np.floating]) -> Row:
    return {
        "mean_percent": 100.0 * float(relative.mean()), "p99_percent": 100.0 * float(np.percentile(relative, 99.0)),
    }  # fmt: skip


def _flagged(net: Vft, learnt: Range, height_px: Float) -> float:
    return float(out_of_range(net, learnt, torch.from_numpy(slopes(height_px)))[0].float().mean())


def _tilt_deg(height_px: Float) -> Tensor:
    return torch.rad2deg(torch.atan(torch.from_numpy(slopes(height_px)).square().sum(0).sqrt()))


def _rendered(net: Vft, model: ForwardModel, height: Tensor) -> Tensor:
    return render(net, model, height_nm=height)


def _images(net: HorizonNet, model: ForwardModel, height: Tensor) -> Tensor:
    given = slopes_of(height)
    return signal(net(given[None])[0], model.expansion.weights(given), model.sectors) / model.flat


def _loss_gradient(images: Images, height: Tensor, measured: Tensor) -> Tensor:
    unknown = height.clone().requires_grad_()
    loss = (images(unknown) - measured.to(height)).square().sum()
    return torch.autograd.grad(loss, unknown)[0]


def _timed(run: Callable[[], Any], device: torch.device) -> tuple[float, float]:
    """Give the least CPU and wall time in seconds of three runs, after a first one; Torch on one thread, loops on all."""
    found = []
    with one_thread():
        for _ in range(4):
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in found[1:]), min(wall for _, wall in found[1:])
