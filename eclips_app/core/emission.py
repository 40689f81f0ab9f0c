"""Which emission model a signal is computed with: the choice alone; the physics is in `engine.emission`."""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.paths import resource
from eclips_app.core.schema import choice, load, quantity

#: Coefficients of the parametric model, in this order; all zero is Lambert emission (formula in `engine.emission.model`).
COEFFICIENTS = ("yield_2", "yield_4", "peak", "forward_1", "forward_3", "stretch")
#: The same as a calibration names them.
EMISSION = tuple(f"emission:{name}" for name in COEFFICIENTS)


@dataclass(frozen=True)
class Emission:
    """How backscattered electrons leave the surface.

    `material` names a table that comes with the program (such as ``Cu``) or is the path of a table file. `coefficients` are
    those of the parametric model (`COEFFICIENTS`); empty: the ones that fit the material's table best.
    """

    model: str = choice(
        "lambert", "lambert", "tabulated", "parametric", label="Emission",
        help="lambert: cosine law, the same yield at every tilt. tabulated: Monte Carlo of the material. "
        "parametric: a few coefficients, which start at the table.",
    )  # fmt: skip
    material: str = "Cu"
    coefficients: tuple[float, ...] = quantity((), label="Coefficients", low=-10, high=10)

    @property
    def needs_table(self) -> bool:
        """Whether the material's table is used; Lambert emission and given coefficients need none."""
        return self.model == "tabulated" or (self.model == "parametric" and not self.coefficients)


def materials() -> list[str]:
    """Give the materials whose emission tables come with the program."""
    return sorted(path.stem for path in resource("emission").glob("*.npz"))


def calibrated_emission(detector: Detector) -> Emission | None:
    """Give the emission that a detector was calibrated with, the default wherever it is used; None where its file has none.

    Raises
    ------
    EclipsError
        Names the key of the calibration that cannot be read.
    """
    content = (detector.calibration or {}).get("emission")
    if content is None:
        return None
    emission = load(Emission, content, "calibration.emission")
    if emission.coefficients and len(emission.coefficients) != len(COEFFICIENTS):
        raise EclipsError(
            f"{len(emission.coefficients)} values stand where {len(COEFFICIENTS)} are expected",
            where="calibration.emission.coefficients", hint=f"Give {', '.join(COEFFICIENTS)}.",
        )  # fmt: skip
    return emission
