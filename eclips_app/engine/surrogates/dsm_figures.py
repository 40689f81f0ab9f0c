"""What `eclips bench surrogates` measures of the DSM that comes with the program, beside the exact model of its detector."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.paths import resource
from eclips_app.engine.forward.model import ForwardModel, forward_model, slopes
from eclips_app.engine.surfaces import KINDS
from eclips_app.engine.surrogates import dsm
from eclips_app.engine.surrogates.distil import Distillation, Lesson, surfaces
from eclips_app.engine.surrogates.dsm_file import Distilled, read_dsm
from eclips_app.engine.surrogates.figures import UNSEEN_SEED, _loss_gradient, _summary, _timed, gradient_rows
from eclips_app.engine.surrogates.imitate import Subject, imitate
from eclips_app.engine.surrogates.measure import DARK

Float = NDArray[np.float64]
Row = dict[str, Any]


class Judged:
    """The shipped DSM and the exact model of its detector, in single precision."""

    def __init__(self) -> None:
        self.made: Distilled = read_dsm(resource("models") / "dsm.safetensors")
        detector, emission = self.made.detector, self.made.emission
        self.subject = Subject("dsm", "", detector, emission)
        self.model: ForwardModel = forward_model(detector, 1.0, emission=emission, azimuths=32, dtype=torch.float32)

    def steepened(self, count: int, size: int) -> list[Float]:
        """Give unseen specimens as steep as those that it has learnt from."""
        task = Distillation(Lesson(self.made.detector, self.made.emission, surfaces(size, UNSEEN_SEED)))
        return [task.specimen(index) for index in range(count)]

    def images(self, height: Tensor) -> Tensor:
        """Give the images [k, row, col] by the network, in units of a flat."""
        return dsm.samples(self.made.network, self.model, height) / self.model.flat

    def plain(self, height: Tensor) -> Tensor:
        """Give the images [k, row, col] by tangent planes alone."""
        return dsm.reflectance(self.model, slopes(height)) / self.model.flat


def accuracy(judged: Judged, sets: Mapping[str, list[Float]]) -> list[Row]:
    """Give errors of intensity for each set of surfaces (heights in pixels), and how much is flagged."""
    rows: list[Row] = []
    for name, heights in ((name, heights) for name, heights in sets.items() if heights):
        errors: dict[str, list[NDArray[np.floating]]] = {"dsm": [], "tangent plane only": []}
        flagged = []
        for height in heights:
            given = torch.from_numpy(np.require(height, np.float32, ["C", "W"]))
            with torch.no_grad():
                exact = judged.model.images(given)
                for title, images in (("dsm", judged.images), ("tangent plane only", judged.plain)):
                    errors[title].append(((images(given) - exact).abs() / exact.clamp(min=DARK)).numpy().ravel())
                flagged.append(float(imitate(judged.subject, judged.model, given).outside.mean()))
        for title, parts in errors.items():
            share = 100.0 * float(np.mean(flagged)) if title == "dsm" else None
            row = {**_summary(np.concatenate(parts)), "flagged_percent": share}
            rows.append({"surfaces": f"{name} ({len(heights)})", "model": title, **row})
    return rows


def times(judged: Judged, sizes: tuple[int, ...]) -> list[Row]:
    """Time images and their gradient by the heights on the processor, on a rough surface that hides something everywhere."""
    rows: list[Row] = []
    for size in sizes:
        height = torch.from_numpy(KINDS["rough"]((size, size), 1.0, 3, rms_slope=0.8)).float()
        for name, images in (("exact", judged.model.images), ("dsm", judged.images)):
            with torch.no_grad():
                plain = _timed(partial(images, height), height.device)
            both = _timed(partial(_loss_gradient, images, height, torch.zeros(())), height.device)
            rows.append({
                "model": name, "pixels": f"{size} x {size}", "images_cpu_s": plain[0], "images_wall_s": plain[1],
                "images_and_gradient_cpu_s": both[0], "images_and_gradient_wall_s": both[1],
            })  # fmt: skip
    return rows


def gradients(judged: Judged, heights: list[Float], seed: int = 1) -> list[Row]:
    """Compare gradients of the sum of squared image differences by the heights with the exact ones; see `figures.gradients`."""

    @torch.no_grad()
    def measured(true: Float) -> Tensor:
        images: Tensor = judged.model.images(torch.from_numpy(np.require(true, np.float32, ["C", "W"])))
        return images

    others = {"dsm": judged.images, "tangent plane only": judged.plain}
    return gradient_rows(heights, judged.model.images, measured, others, seed)
