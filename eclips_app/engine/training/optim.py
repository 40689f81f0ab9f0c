"""Optimisers: Muon for the matrices of the layers where this Torch has it, AdamW for everything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

_BETAS = (0.9, 0.98)


class Optimisers:
    """Muon and AdamW as one; made by `optimisers`.

    Attributes
    ----------
    note : str
        Which parameters each has, in words.
    """

    def __init__(self, each: Iterable[torch.optim.Optimizer], rate: float, note: str) -> None:
        self._each, self._rate, self.note = tuple(each), rate, note

    def step(self, gradients_of: torch.Tensor, part: float, warmup: float, longest: float) -> None:
        """Take a step down a loss: `part` (0 to 1) of the training is done; gradients longer than `longest` are cut.

        The rate rises linearly over the part `warmup` and falls as a cosine to zero.
        """
        for optimiser in self._each:
            optimiser.zero_grad()
        gradients_of.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(
            [p for o in self._each for group in o.param_groups for p in group["params"]], longest, foreach=False
        )
        rate = self._rate * schedule(part, warmup)
        for optimiser in self._each:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()

    def state(self) -> list[dict[str, Any]]:
        """Give what a checkpoint needs."""
        return [optimiser.state_dict() for optimiser in self._each]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take the state of a checkpoint."""
        for optimiser, one in zip(self._each, state, strict=True):
            optimiser.load_state_dict(one)


def optimisers(net: nn.Module, rate: float, weight_decay: float, *, muon: bool = True) -> Optimisers:
    """Make the optimisers of a network.

    Muon orthogonalises the update of a matrix (Jordan et al. 2024), scaled to the size of AdamW's ("match_rms_adamw", Liu et
    al. 2025), so that both share one rate. It gets the weights of `nn.Linear`; convolutions, biases, norms and tables of
    biases go to AdamW.
    """
    matrices = [m.weight for m in net.modules() if isinstance(m, nn.Linear)] if muon else []
    taken = {id(p) for p in matrices}
    rest = [p for p in net.parameters() if id(p) not in taken]
    if muon and not hasattr(torch.optim, "Muon"):
        every = torch.optim.AdamW(net.parameters(), rate, _BETAS, weight_decay=weight_decay)
        return Optimisers([every], rate, f"AdamW for all parameters, because Torch {torch.__version__} has no Muon")
    each: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, rate, _BETAS, weight_decay=weight_decay)]
    if not matrices:
        return Optimisers(each, rate, "AdamW for all parameters")
    each.append(torch.optim.Muon(matrices, rate, weight_decay, adjust_lr_fn="match_rms_adamw"))
    return Optimisers(each, rate, f"Muon for {len(matrices)} matrices, AdamW for {len(rest)} other tensors")


def schedule(part: float, warmup: float) -> float:
    """Give the learning rate, in units of the largest, when a part (0 to 1) of the training is done."""
    import math

    if part < warmup:
        return max(part / warmup, 0.02)
    return 0.5 * (1.0 + math.cos(math.pi * min((part - warmup) / (1.0 - warmup), 1.0)))
