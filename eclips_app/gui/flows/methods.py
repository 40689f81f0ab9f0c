"""The ways to reconstruct under the names that the user knows them by: method and quality in one choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eclips_app.core.detector import Detector
from eclips_app.model.items import Run
from eclips_app.model.runs import Options


@dataclass(frozen=True)
class Method:
    """A way to reconstruct; `text` says in one sentence what it does and what it costs."""

    name: str
    method: str  #: as in `model.runs.Options`
    quality: str
    text: str

    @property
    def is_exact(self) -> bool:
        """Whether it fits the heights through the exact forward model, with an emission to choose."""
        return self.method != "linear"

    def chosen(self, options: Options) -> Options:
        """Give the options with this method."""
        return replace(options, method=self.method, fit=replace(options.fit, quality=self.quality))


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
METHODS = (LIVE, STANDARD, METROLOGY)


def method_of(options: Options) -> Method:
    """Give the method that is chosen."""
    return next((m for m in METHODS[1:] if (m.method, m.quality) == (options.method, options.fit.quality)), LIVE)


def method_of_run(run: Run) -> Method:
    """Give the method that a run was made with."""
    if run.step == Options(method=LIVE.method).step:
        return LIVE
    return METROLOGY if run.params.get("quality") == METROLOGY.quality else STANDARD


def emission_text(emission: Mapping[str, Any]) -> str:
    """Put an emission, as it stands in a run's parameters, into words."""
    model, material = emission.get("model", "lambert"), emission.get("material", "")
    if model == "lambert":
        return "Lambert"
    return f"{material}, table" if model == "tabulated" else f"{material}, parametric"


def needs_beam(options: Options, detector: Detector | None) -> bool:
    """Whether the emission that is chosen is one of a material, which depends on the beam energy."""
    emission = options.fit.emission if detector is None else options.emission_for(detector)
    return method_of(options).is_exact and emission.needs_table


def lacks_beam(options: Options, detector: Detector | None) -> bool:
    """Whether the beam energy is needed and the detector does not give it."""
    return detector is not None and needs_beam(options, detector) and detector.beam is None
