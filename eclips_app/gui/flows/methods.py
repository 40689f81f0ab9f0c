"""The ways to reconstruct under the names that the user knows them by: method, quality and what else makes it, in one choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from eclips_app.core.detector import Detector
from eclips_app.core.steps import Learned
from eclips_app.model.items import Run
from eclips_app.model.runs import LEARNED_FIELDS, Options

_OF_OPTIONS = {f.name: f.default for f in fields(Options)}
_OF_NETWORK = {name: Learned.__dataclass_fields__[name].default for name in LEARNED_FIELDS}
_DEFAULTS = {**_OF_NETWORK, **_OF_OPTIONS}


@dataclass(frozen=True)
class Method:
    """A way to reconstruct; `text` says in one sentence what it does and what it costs."""

    name: str
    method: str  #: as in `model.runs.Options`
    quality: str
    text: str
    own: Mapping[str, Any] = field(default_factory=dict)  #: what it sets of `Options` and of `core.steps.Learned`

    @property
    def is_exact(self) -> bool:
        """Whether it fits the heights through the exact forward model."""
        return self.method == "closed-loop"

    @property
    def is_learned(self) -> bool:
        """Whether a network finds the normals."""
        return self.method == "learned"

    @property
    def has_emission(self) -> bool:
        """Whether the emission can be chosen."""
        return self.method != "linear"

    def chosen(self, options: Options) -> Options:
        """Give the options with this method; what the method before it has set is taken back."""
        old = method_of(options)
        if old is self:
            return options
        values = {**{name: _DEFAULTS[name] for name in old.own}, **self.own}
        fit = {name: value for name, value in values.items() if name in _OF_NETWORK}
        rest = {name: value for name, value in values.items() if name in _OF_OPTIONS}
        return replace(options, method=self.method, fit=replace(options.fit, quality=self.quality, **fit), **rest)


LIVE = Method(
    "Live", "linear", "standard", "Slopes pixel by pixel, then integrated: done in a moment, but blind to shadows."
)
STANDARD = Method(
    "Standard", "closed-loop", "standard",
    "Fits 2 × 2 heights in each pixel to the images, with shadows and probe size: some 7 s for 512 × 512 px on the processor.",
)  # fmt: skip
METROLOGY = Method(
    "Metrology", "closed-loop", "metrology",
    "As Standard, ten times closer to the minimum, with twice the azimuths and random draws: some 15 s for 512 × 512 px.",
)  # fmt: skip
#: How slopes become heights, under the names that the user knows.
LEAST_SQUARES = "least-squares"
INTEGRATORS = {
    LEAST_SQUARES: "Least squares", "wiener": "Wiener (shrinks noise)", "bilateral": "Bilateral (cliffs)",
    "pinn": "Network (PINN)",
}  # fmt: skip
UNET = Method(
    "U-Net", "learned", "standard",
    "A network trained on rendered surfaces sees the normals, which are then integrated: slower than Live, faster than a fit, "
    "and only as good as its training fits your surface.",
    {"rounds": 0},
)  # fmt: skip
LOOP = Method(
    "U-Net + loop", "learned", "standard",
    "The U-Net goes on learning on these images until its surface, rendered exactly, explains them: each round costs a rendering "
    "and a training step.",
    {"rounds": 60, "renderer": "bsesm", "finetune": False},
)  # fmt: skip
PAPER = Method(
    "Paper", "learned", "standard",
    "The chain as published: U-Net, self-supervised loop through a network that renders (VFT), corrected by another (Finetune), "
    "and a network that integrates (PINN): many rounds, and approximate in each of its parts.",
    {"rounds": 200, "renderer": "vft", "finetune": True, "integrator": "pinn"},
)  # fmt: skip
#: The forward models of the loop, under the names that the user knows.
RENDERERS = {"bsesm": "Horizons (exact)", "vft": "VFT, a network", "dsm": "DSM, a network"}
METHODS = (LIVE, STANDARD, METROLOGY, UNET, LOOP, PAPER)


def method_of(options: Options) -> Method:
    """Give the method that is chosen."""
    values = {f.name: getattr(options.fit, f.name) for f in fields(options.fit)}
    return _method(options.method, {**values, **{name: getattr(options, name) for name in _OF_OPTIONS}})


def method_of_run(run: Run) -> Method:
    """Give the method that a run was made with."""
    return _method(run.step.removeprefix("reconstruct-"), run.params)


def name_of(options: Options) -> str:
    """Give the name that a run with these options gets."""
    method = method_of(options)
    starts_learned = method.is_exact and options.fit.starter == "unet" and not options.start_run_id
    return f"{method.name} from U-Net" if starts_learned else method.name


def _method(method: str, values: Mapping[str, Any]) -> Method:
    """Name a method by its parameters; the paper's chain is only that which is as published, for as many rounds as you like."""
    if method == "learned":
        is_paper = all(values.get(name) == wanted for name, wanted in PAPER.own.items() if name != "rounds")
        return UNET if not values.get("rounds") else PAPER if is_paper else LOOP
    if method == "closed-loop":
        return METROLOGY if values.get("quality") == METROLOGY.quality else STANDARD
    return LIVE


def emission_text(emission: Mapping[str, Any]) -> str:
    """Put an emission, as it stands in a run's parameters, into words."""
    model, material = emission.get("model", "lambert"), emission.get("material", "")
    if model == "lambert":
        return "Lambert"
    return f"{material}, table" if model == "tabulated" else f"{material}, parametric"


def needs_beam(options: Options, detector: Detector | None) -> bool:
    """Whether the emission that is chosen is one of a material, which depends on the beam energy."""
    emission = options.fit.emission if detector is None else options.emission_for(detector)
    return method_of(options).has_emission and emission.needs_table


def lacks_beam(options: Options, detector: Detector | None) -> bool:
    """Whether the beam energy is needed and the detector does not give it."""
    return detector is not None and needs_beam(options, detector) and detector.beam is None
