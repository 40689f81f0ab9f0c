"""What a report holds and how it looks; `io.report` writes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import choice, quantity

#: Parts of a report in their order, and what each holds.
SECTIONS: dict[str, str] = {
    "summary": "Summary",
    "inputs": "Inputs with their hashes",
    "calibration": "Detector and calibration",
    "reconstruction": "Reconstruction and its parameters",
    "maps": "Maps",
    "profiles": "Profiles",
    "measurements": "Measurements",
    "budgets": "Uncertainty budgets",
    "facets": "Facets",
    "comparison": "Comparison with other height maps",
    "provenance": "Provenance",
}

#: Maps of a reconstruction that can be drawn, and their names.
MAPS: dict[str, str] = {
    "height": "Height",
    "height_std": "Standard deviation of the height",
    "rho": "Material factor",
    "chi2": "Chi-square of each pixel",
}


@dataclass(frozen=True)
class ReportTemplate:
    """Choice and look of a report; as JSON it is a template file."""

    name: str = "Full"
    sections: tuple[str, ...] = tuple(SECTIONS)
    maps: tuple[str, ...] = ("height", "height_std", "chi2")
    figure_width_mm: float = quantity(120.0, label="Width of figures", unit="mm", low=20, high=160)
    dpi: int = quantity(300, label="Resolution of pictures", unit="dpi", low=50, high=1200)
    colormap: str = choice("viridis", "viridis", "cividis", "inferno", "gray", label="Colour map")
    coverage_factor: float = quantity(
        2.0, label="Coverage factor k", low=1, high=4, help="Expanded uncertainty U = k u; 2 covers about 95 %."
    )

    def __post_init__(self) -> None:
        """Refuse parts and maps that are not known."""
        for kind, chosen, known in (("section", self.sections, SECTIONS), ("map", self.maps, MAPS)):
            if unknown := [name for name in chosen if name not in known]:
                raise EclipsError(
                    f"the report's {kind} '{unknown[0]}' is not known",
                    where="template",
                    hint=f"Known: {', '.join(known)}.",
                )


_FULL = ReportTemplate()
#: The built-in templates by the word that the command line takes.
TEMPLATES: dict[str, ReportTemplate] = {
    "full": _FULL,
    "short": replace(_FULL, name="Short", sections=("summary", "maps", "measurements", "comparison"), maps=("height",)),
    "measurements": replace(_FULL, name="Measurements", sections=("summary", "profiles", "measurements", "budgets")),
}


@dataclass(frozen=True)
class Report:
    """Write a report of a project. Inputs: its arrays by key; `state` is `model.snapshot`'s JSON. Gives ``info["path"]``.

    The suffix chooses PDF or HTML.
    """

    path: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    template: ReportTemplate = field(default_factory=ReportTemplate)
    title: str = ""  #: empty: made from the names of set and run
    author: str = ""
    note: str = ""  #: stands in the summary
    run_id: str = ""  #: empty: the run that the project presents
    source: str = ""  #: the project's file
    keep_paths: tuple[str, ...] = ()  #: files that must not be overwritten


@dataclass(frozen=True)
class DrawFigure:
    """Write one map of a run as a figure true to size. Inputs: the arrays `name` and optional ``mask``.

    The suffix chooses PNG, SVG or PDF. Gives ``info["path"]``.
    """

    path: str = ""
    name: str = choice("height", *MAPS, label="Map")
    title: str = ""
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    width_mm: float = quantity(85.0, label="Width", unit="mm", low=10, high=1000)
    dpi: int = quantity(300, label="Resolution", unit="dpi", low=50, high=2400)
    colormap: str = choice("viridis", "viridis", "cividis", "inferno", "gray", label="Colour map")
    keep_paths: tuple[str, ...] = ()
