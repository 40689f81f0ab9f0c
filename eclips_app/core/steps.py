"""The registry of steps: every long computation, named by a string, with its parameters.

A step is a function ``step(inputs, params, context) -> StepResult`` in `engine`, `metrology`, `plugin_api` or `io`. It is named
here by text, so that the window can submit it without importing what computes it. The engine process, the command line and
the replay of a project all call `run_step`; equal inputs and parameters give equal bits.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from eclips_app.core.calibration import Calibrate, FindReference
from eclips_app.core.context import Context
from eclips_app.core.crystal import FindFacets, Wulff
from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.levelling import Level
from eclips_app.core.measuring import Measure
from eclips_app.core.reconstruction import CheckCalibration as CheckCalibration
from eclips_app.core.reconstruction import ClosedLoop as ClosedLoop
from eclips_app.core.reconstruction import Cycle as Cycle
from eclips_app.core.reconstruction import FunctionalStd as FunctionalStd
from eclips_app.core.reconstruction import Learned as Learned
from eclips_app.core.reconstruction import Reconstruct as Reconstruct
from eclips_app.core.reconstruction import TrainFinetune as TrainFinetune
from eclips_app.core.reconstruction import automatic as automatic
from eclips_app.core.registration import CompareMap, RegisterMap
from eclips_app.core.report import DrawFigure, Report
from eclips_app.core.schema import choice, quantity
from eclips_app.core.specimen import Specimen as Specimen
from eclips_app.core.training import Train

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class StepResult:
    """What a step gives back: arrays by name, and small facts that fit JSON."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadSegments:
    """Read segment images. Gives arrays ``image/0`` … in the order found, and ``info["images"]`` (see `io.segments`)."""

    paths: tuple[str, ...] = ()
    segments: int = quantity(
        0, label="Segments", low=0, high=64, help="Images of one frame; 0 finds out from the files."
    )


@dataclass(frozen=True)
class ReadHeightMap:
    """Read an AFM or other height map. Gives ``height`` [row, col] in nm, ``info["pixel_size_nm"]`` (x, y), ``info["name"]``.

    `unit` and `pixel_size_nm` are used only where the file itself does not say them.
    """

    path: str = ""
    channel: str = ""  #: as in ``info["channels"]``; empty: the first height channel
    unit: str = choice("", "", "pm", "Å", "nm", "µm", "mm", "m", label="Unit of the heights")
    pixel_size_nm: tuple[float, float] | None = quantity(None, label="Pixel size (x, y)", unit="nm", low=1e-3, high=1e7)


@dataclass(frozen=True)
class Register:
    """Register segments scanned one after another. Inputs ``segments`` [k, row, col], optional ``exclude`` [row, col].

    Gives ``info["shifts_px"]`` (rows, columns to move each segment by), ``info["quality"]`` (0 to 1 each) and, with `drift`,
    array ``drift_px`` [k, row, 2] (row of the crop; to move each row by, on top of the shift).
    """

    crop: tuple[int, int, int, int] = (0, 0, 0, 0)  #: first row, first column, end row, end column; zeros: all
    reference: int = quantity(0, label="Reference segment", low=0, high=63)
    max_shift_px: float = quantity(64.0, label="Largest shift", unit="px", low=0, high=4096)
    drift: bool = False


@dataclass(frozen=True)
class Simulate:
    """Render segment images of a known surface. Input ``height`` [row, col] in nm, optional ``rho`` of the same shape.

    With `subpixels` s the height has s x s samples per pixel, and the images are that much smaller.
    Gives ``segments`` [k, row, col]: float32 signals in units of a flat without `dose`, else uint16 grey values; gains and
    offsets of the detector file are applied to both. The models vft and dsm also give ``outside`` [row, col], True where the
    surface is unlike all that the network has learnt from, and ``info["outside_share"]``.
    """

    detector: Detector = field(default_factory=Detector)
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    dose: float | None = quantity(None, label="Electrons per pixel and segment on a flat", low=0.1, high=1e9)
    grey_per_electron: float = quantity(1.0, label="Grey values per electron", low=1e-9, high=1e9)
    read_noise_electrons: float = quantity(0.0, label="Read-out noise", unit="electrons", low=0, high=1e6)
    azimuths: int = quantity(64, label="Azimuths", low=8, high=1024)
    subpixels: int = quantity(1, label="Height samples per pixel edge", low=1, high=8)
    seed: int = quantity(0, label="Seed", low=0, high=2**31)
    model: str = choice(
        "bsesm", "bsesm", "mc", "vft", "dsm", label="Model",
        help="bsesm: exact visibility by horizons. mc: Monte Carlo, which follows single electrons. vft, dsm: neural networks "
        "that imitate the first; on a processor they are slower, and they err.",
    )  # fmt: skip
    emission: Emission = field(default_factory=Emission)
    delocalised: bool = False  #: blur by the distance from the probe at which electrons of the material's table leave
    rays: int = quantity(400, label="Electrons followed per sample (mc)", low=1, high=1_000_000)
    scan_parallax: bool = False  #: the beam leaves the detector's axis across the field
    field_center_mm: tuple[float, float] = quantity(
        (0.0, 0.0), label="Middle of the field from the beam's axis (x, y)", unit="mm", low=-100, high=100
    )
    pivot_mm: float | None = quantity(
        None, label="Pivot of the scan above the specimen", unit="mm", low=0.1, high=1e4, help="None: parallel beam."
    )
    draft: bool = False  #: coarser tables of the detector, for pictures that follow a slider
    weights: str = ""  #: file with the network of vft or dsm; empty: the one that comes with the program


@dataclass(frozen=True)
class Visibility:
    """What one pixel of a surface sees of the detector. Input ``height`` [row, col] in nm.

    Gives, for the azimuths ``azimuth_deg`` [f] (middles) and the polar angles between ``theta_deg`` [j + 1] (edges),
    ``valid`` and ``visible`` [k, j, f] (parts of the emission into the cell that land on segment k, without and with the
    surface in the way), ``horizon_deg`` [f] (polar angle up to which the sky is open) and ``occluder_nm`` [f] (distance of
    what limits it; 0: the tangent plane). ``info``: see `engine.forward.visibility`.
    """

    detector: Detector = field(default_factory=Detector)
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    row: int = quantity(0, label="Row", unit="px", low=0, high=2**20)
    column: int = quantity(0, label="Column", unit="px", low=0, high=2**20)
    azimuths: int = quantity(180, label="Azimuths", low=8, high=1440)
    polar_cells: int = quantity(60, label="Polar cells", low=9, high=720)
    draft: bool = False  #: coarser flight of the electrons, as in `Simulate`


@dataclass(frozen=True)
class EstimateVisionField:
    """How far away a surface can still block the way to the detector. Input ``height`` [row, col] in nm.

    Gives ``chance`` [r], that the lowest accepted ray is blocked from beyond ``radius_nm`` [r], and as ``info`` the numbers of
    `engine.forward.vision_field.VisionField`, among them ``rigorous_nm`` and ``statistical_nm``.
    """

    detector: Detector = field(default_factory=Detector)
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    delta_out: float = quantity(0.01, label="Chance of being blocked from outside", low=1e-6, high=0.5)


@dataclass(frozen=True)
class Example:
    """Make a built-in example: specimen, noisy images, reconstruction. Gives what `LoadProject` gives."""

    name: str = "vickers"


@dataclass(frozen=True)
class EmissionTableParams:
    """Compute how electrons are backscattered by a material. Gives the arrays of an emission table and ``info["meta"]``."""

    material: str = "Cu"  #: chemical formula
    density_g_cm3: float | None = quantity(
        None, label="Density", unit="g/cm³", low=0.001, high=50.0, help="Needed for compounds that are not common."
    )
    energies_kev: tuple[float, ...] = quantity(
        (2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0), label="Beam energies", unit="keV", low=0.5, high=40.0
    )
    tilts_deg: tuple[float, ...] = quantity(
        (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0), label="Tilts", unit="deg", low=0.0, high=85.0
    )
    histories: int = quantity(100_000, label="Electrons per energy and tilt", low=100, high=1_000_000_000)
    seed: int = quantity(1, label="Seed", low=0, high=2**31)


@dataclass(frozen=True)
class SaveProject:
    """Write a project. Inputs: its arrays by key; `state` is `model.snapshot`'s JSON. Gives ``info["path"]``."""

    path: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    keep: int = quantity(3, label="Earlier versions kept", low=0, high=20)


@dataclass(frozen=True)
class LoadProject:
    """Read a project. Gives its arrays by key and ``info["state"]``."""

    path: str = ""


@dataclass(frozen=True)
class Export:
    """Write a height map to a file; the suffix says how.

    Inputs ``height`` (nm), optional ``mask`` (True: written), ``normals``, ``height_std``, ``texture`` (grey, 8 bit).
    """

    path: str = ""
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    title: str = "height"
    provenance: dict[str, Any] = field(default_factory=dict)
    picture: str = choice("colour", "colour", "grey16", label="PNG", help="grey16: heights as 16-bit grey values.")
    keep_paths: tuple[str, ...] = ()  #: files that must not be overwritten: the inputs
    pixel_size_y_nm: float | None = quantity(
        None, label="Pixel size along y", unit="nm", low=1e-3, high=1e7, help="Where pixels are not square."
    )


@dataclass(frozen=True)
class Step:
    """A registered step."""

    name: str
    version: int
    function: str  #: "package.module:function"
    params: type
    patience_s: float = 2.0  #: how long it may go on, told to stop, before its process is ended


_ALL = (
    Step("read-segments", 1, "eclips_app.io.segments:read_step", ReadSegments),
    Step("read-height-map", 1, "eclips_app.io.height_maps:read_step", ReadHeightMap),
    Step("level", 1, "eclips_app.metrology.levelling:level_step", Level),
    Step("register", 1, "eclips_app.engine.register:register_step", Register),
    Step("register-map", 1, "eclips_app.plugin_api.register_map:register_step", RegisterMap),
    Step("compare-map", 1, "eclips_app.metrology.agreement_step:compare_step", CompareMap),
    Step("reconstruct-linear", 1, "eclips_app.engine.linear:reconstruct_step", Reconstruct),
    Step("reconstruct-closed-loop", 2, "eclips_app.engine.refine.step:reconstruct_step", ClosedLoop, 30.0),
    Step("reconstruct-learned", 1, "eclips_app.engine.learned.step:reconstruct_step", Learned, 30.0),
    Step("train-finetune", 1, "eclips_app.engine.learned.finetune_step:train_step", TrainFinetune, 10.0),
    Step("functional-std", 1, "eclips_app.engine.refine.functionals:functional_step", FunctionalStd),
    Step("cycle", 1, "eclips_app.engine.cycle:cycle_step", Cycle),
    Step("simulate", 1, "eclips_app.engine.simulate:simulate_step", Simulate),
    Step("specimen", 1, "eclips_app.engine.surfaces:specimen_step", Specimen),
    Step("visibility", 1, "eclips_app.engine.forward.visibility:visibility_step", Visibility),
    Step("vision-field", 1, "eclips_app.engine.forward.vision_field:vision_field_step", EstimateVisionField),
    Step("example", 1, "eclips_app.io.examples:example_step", Example),
    Step("train", 1, "eclips_app.engine.training.step:train_step", Train, 60.0),
    Step("emission-table", 1, "eclips_app.engine.emission.make:table_step", EmissionTableParams),
    Step("calibrate", 1, "eclips_app.engine.calibration.step:calibrate_step", Calibrate, 10.0),
    Step("find-reference", 1, "eclips_app.engine.calibration.find:find_step", FindReference),
    Step("check-calibration", 1, "eclips_app.engine.calibration.check:check_step", CheckCalibration),
    Step("measure", 1, "eclips_app.metrology.measure:measure_step", Measure),
    Step("find-facets", 1, "eclips_app.metrology.facets.step:find_step", FindFacets),
    Step("wulff", 1, "eclips_app.metrology.wulff:wulff_step", Wulff),
    Step("save-project", 1, "eclips_app.io.project_file:save_step", SaveProject),
    Step("load-project", 1, "eclips_app.io.project_file:load_step", LoadProject),
    Step("export", 1, "eclips_app.io.export:export_step", Export),
    Step("report", 1, "eclips_app.io.report:report_step", Report),
    Step("figure", 1, "eclips_app.io.report:figure_step", DrawFigure),
)
STEPS: dict[str, Step] = {step.name: step for step in _ALL}


def step_function(step: str | Step) -> Callable[[Arrays, Any, Context], StepResult]:
    """Import the function of a step, by its name or as it is; only the engine process and the command line call this."""
    known = STEPS[step] if isinstance(step, str) else step
    module, _, function = known.function.partition(":")
    found: Callable[[Arrays, Any, Context], StepResult] = getattr(importlib.import_module(module), function)
    return found


def run_step(step: str | Step, inputs: Arrays, params: Any, context: Context) -> StepResult:
    """Run a step in this process.

    Raises
    ------
    EclipsError
        What the step found wrong with its inputs or parameters.
    Cancelled
        If the context asked to stop.
    """
    return step_function(step)(inputs, params, context)
