"""Model cards: how weights were made and how well they do, as text beside the weights."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from eclips_app.engine.training.loop import Plan, Trained
from eclips_app.engine.training.weights import write_whole
from eclips_app.version import VERSION


@dataclass(frozen=True)
class Card:
    """What a card tells beside the training itself: name, purpose, architecture, data, limits, what the scores mean."""

    title: str
    purpose: str
    architecture: str
    data: str
    limits: str
    scores: str = ""


def write_card(path: Path, card: Card, plan: Plan, trained: Trained, parameters: int, device: torch.device) -> None:
    """Write a model card as Markdown."""
    facts = {
        "Parameters": f"{parameters:,}",
        "Training": f"{trained.steps} steps of {plan.batch} samples, {trained.seconds / 60:.1f} min"
        + (" (stopped)" if trained.stopped else ""),
        "Optimiser": f"{trained.optimiser}; rate {plan.rate:g}, weight decay {plan.weight_decay:g}, EMA {plan.ema:g}, "
        f"{100 * plan.hard_share:.0f} % hard samples",
        "Seed": str(plan.seed),
        "Precision": trained.precision,
        "Hardware": hardware(device),
        "Software": f"ECLIPS {VERSION}, Torch {torch.__version__}",
    }
    lines = [
        f"# {card.title}", "", card.purpose, "", f"**Architecture.** {card.architecture}", "", f"**Data.** {card.data}", "",
        *(f"- {name}: {text}" for name, text in facts.items()), "", f"**Limits.** {card.limits}", "",
        "## Held-out scores against training time", "", *([card.scores, ""] if card.scores else []), *_table(trained.history), "",
    ]  # fmt: skip
    write_whole(path, "\n".join(lines).encode())


def hardware(device: torch.device) -> str:
    """Name what was computed on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}, {torch.get_num_threads()} thread(s) of {os.cpu_count()} cores"


def _table(history: list[dict[str, float]], most: int = 20) -> list[str]:
    """Give at most so many rows of a history, evenly chosen, the last one included."""
    if not history:
        return ["(none)"]
    every = max(1, -(-len(history) // most))
    rows = [row for i, row in enumerate(history) if i % every == 0 or i == len(history) - 1]
    head = list(history[0])
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(_row(row, head) for row in rows)]


def _row(row: Mapping[str, float], head: list[str]) -> str:
    return f"| {' | '.join(f'{row[name]:.4g}' if name in row else '' for name in head)} |"
