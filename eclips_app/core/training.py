"""Parameters of the training workshop."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.reconstruction import Reconstruct
from eclips_app.core.schema import choice, quantity


@dataclass(frozen=True)
class Train:
    """Train a network on synthetic specimens with exact answers; writes its weights and, beside them, a model card.

    Optional inputs ``map/0`` … [row, col]: measured height maps in nm without holes, whole files to train on or to judge by.
    Gives ``loss`` [n, 2] (step, mean loss) and as ``info`` the `history` (a row for each judgement on held-out specimens),
    `steps`, `seconds`, `optimiser`, `precision`, `stopped`, `parameters` and `output`. Told to stop, it writes the best weights
    so far. Previews: ``loss``.
    """

    network: str = choice(
        "vft", "vft", "dsm", "unet", "pinn", label="Network",
        help="vft: horizons from slopes (Vision Field Transformer). dsm: images of one detector from slopes. unet: normals from "
        "images. pinn: heights from noisy slopes.",
    )  # fmt: skip
    output: str = ""  #: file of the weights (.safetensors); the card and the checkpoint stand beside it
    steps: int = quantity(20_000, label="Steps at most", low=1, high=100_000_000)
    minutes: float | None = quantity(
        None,
        label="Time",
        unit="min",
        low=0.01,
        high=100_000,
        help="None: all steps. With it the schedule follows the clock.",
    )
    batch: int = quantity(8, label="Specimens in a step", low=1, high=4096)
    size_px: int = quantity(96, label="Edge of a specimen", unit="px", low=32, high=1024)
    seed: int = quantity(0, label="Seed", low=0, high=2**31)
    resume: bool = False  #: go on from the checkpoint of the same output, if it is there
    map_pixels_nm: tuple[float, ...] = quantity((), label="Pixel sizes of the maps", unit="nm", low=1e-3, high=1e7)
    device: str = choice("auto", "auto", "cpu", "cuda", label="Device")
    detector: Detector | None = None  #: whose images a dsm learns
    emission: Emission = field(default_factory=Emission)  #: of the images that a dsm learns
    teacher: str = choice(
        "bsesm", "bsesm", "mc", label="Teacher of a dsm",
        help="bsesm: the exact model. mc: Monte Carlo, a hundred times slower.",
    )  # fmt: skip
    rays: int = quantity(400, label="Electrons followed per sample (mc)", low=1, high=1_000_000)
    initial: str = ""  #: file of weights that the training of a unet begins with; empty: random ones
    #: How the images are read that a unet is trained on beside scenes: inputs ``pair/0/segments`` … (see `engine.learned.pairs`).
    pairs: tuple[Reconstruct, ...] = ()
