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
from eclips_app.core.registration import CompareMap, RegisterMap
from eclips_app.core.report import DrawFigure, Report
from eclips_app.core.schema import choice, quantity
from eclips_app.core.specimen import Specimen as Specimen
from eclips_app.core.tolerance import Tolerances
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
class Reconstruct:
    """Linear reconstruction.

    Inputs ``segments`` [k, row, col] as read, optional ``exclude`` [row, col] (True: not used), both uncropped, and optional
    ``drift_px`` [k, row of the crop, 2].

    Gives ``height`` and ``height_std`` (float32, nm), ``normals`` [3, row, col], ``rho``, ``residual`` [k, row, col] (measured
    minus model, grey values), ``chi2`` and ``mask`` (True where the height rests on data), all of the crop's size. `rho`,
    `residual` and `chi2` are NaN where there is no value; `chi2` is NaN everywhere with three segments, which leave no test.
    """

    detector: Detector = field(default_factory=Detector)
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)  #: first row, first column, end row, end column; zeros: all
    shifts_px: tuple[tuple[float, float], ...] = ()  #: rows, columns to move each segment by; empty: none
    clip_low: float | None = None  #: grey values at or below count as clipped
    clip_high: float | None = None  #: grey values at or above count as clipped
    balance: str = choice(
        "file", "file", "level", label="Segment gains",
        help="file: gains and offsets of the detector file. level: gains that make the median of the image level.",
    )  # fmt: skip
    scan_parallax: bool = (
        True  #: correct the slope that grows across the field because the beam leaves the detector's axis
    )
    axis_px: tuple[float, float] | None = (
        None  #: row, column of the beam's axis in the uncropped image; None: its centre
    )
    device: str = choice("auto", "auto", "cpu", "cuda", label="Device")


@dataclass(frozen=True)
class ClosedLoop(Reconstruct):
    """Gauss-Newton on the exact forward model, started by the linear reconstruction. Inputs and results as there.

    Further inputs, all of the crop's size and optional: ``start`` [row, col] in nm, heights to start from; ``materials``
    [row, col] (integers), labels for `brightness` "material"; ``rho`` [row, col], the factor for "known".

    Further results: ``deviations`` [n, row, col] and ``flags`` [row, col] (see `core.deviations`), ``chi2_known`` [row, col]:
    chi-square with the brightness of the material instead of each pixel's own. `height_std` is the square root of the sum of
    all deviations squared; `chi2` is smoothed over some pixels. Previews: ``height`` after each outer step, and ``chi2`` [n, 2]
    (outer step, chi-square per degree of freedom). A run that is told to stop after its first outer step returns what it has
    found so far, without `deviations` and with ``info["stopped"]``.
    """

    emission: Emission = field(default_factory=Emission)
    quality: str = choice(
        "standard", "standard", "metrology", label="Quality",
        help="Of what is not chosen below. metrology: twice the azimuths and draws, ten times closer to the minimum.",
    )  # fmt: skip
    brightness: str = choice(
        "pixel", "pixel", "material", "uniform", "known", label="Brightness",
        help="pixel: each pixel's own, whatever its material. material: one for each label. uniform: one for the field. "
        "known: a given map of factors. Fewer unknowns see more, and err more where they are wrong.",
    )  # fmt: skip
    tolerances: Tolerances = field(default_factory=Tolerances)
    grey_per_electron: float | None = quantity(
        None,
        label="Grey values per electron",
        low=1e-12,
        high=1e12,
        help="None: the noise is estimated from the images.",
    )
    read_noise_grey: float = quantity(0.0, label="Read-out noise", unit="grey", low=0, high=1e9)
    azimuths: int | None = quantity(
        None, label="Azimuths", low=8, high=256, help="Sectors of the horizon; None: 16, for metrology 32."
    )
    subpixels: int = quantity(
        2, label="Heights along a pixel's edge", low=1, high=4, help="Sharp edges need 2; 1 takes a third of the time."
    )
    smoothing: float | None = quantity(
        None, label="Smoothing", low=0.01, high=1e4,
        help="Weight of the prior that surfaces are smooth but for edges; None: found from the surface's own curvature.",
    )  # fmt: skip
    starter: str = choice(
        "linear", "linear", "unet", label="Start",
        help="Heights to start from where none are given. unet: those of the network that comes with the program.",
    )  # fmt: skip
    coarse_to_fine: bool = False  #: solve images of half the size first, then whole pixels: for starts that are far off
    steps: int = quantity(8, label="Outer steps at most", low=1, high=100)
    least_fall: float | None = quantity(
        None, label="Least fall of the cost", low=1e-9, high=0.5,
        help="An outer step that gains less is the last; None: 0.01, for metrology 0.001.",
    )  # fmt: skip
    tile_px: int | None = quantity(
        None, label="Tiles", unit="px", low=128, high=16384,
        help="Larger images are solved in overlapping tiles; None: as memory allows.",
    )  # fmt: skip
    draws: int | None = quantity(
        None, label="Random draws for the standard deviation", low=2, high=64, help="None: 16, for metrology 32."
    )
    seed: int = quantity(0, label="Seed of the draws", low=0, high=2**31)


@dataclass(frozen=True)
class Learned(ClosedLoop):
    """A U-Net's normals, integrated; refined on the images at hand by the self-supervised loop if `rounds` is not 0.

    Inputs and results as those of `Reconstruct`, ``chi2`` and ``residual`` of the exact forward model as `ClosedLoop` has them;
    further ``normal_error`` [row, col], the angle in degrees by which the network says that its normals may err. Of what
    `ClosedLoop` adds, emission, noise, azimuths and subpixels count. Previews: ``height``, ``chi2`` [n, 2] (round, chi-square per
    degree of freedom) and ``residual`` [k, row, col] while the loop runs; told to stop, it keeps the best so far.
    """

    network: str = ""  #: file with the U-Net's weights; empty: those that come with the program
    rounds: int = quantity(
        0, label="Rounds of the self-supervised loop", low=0, high=10_000,
        help="Steps of gradient descent on the network's weights by the images at hand; 0: the network as it was trained.",
    )  # fmt: skip
    renderer: str = choice(
        "bsesm", "bsesm", "vft", "dsm", label="Forward model of the loop",
        help="bsesm: exact. vft, dsm: neural networks that imitate it.",
    )  # fmt: skip
    renderer_weights: str = ""  #: file with the network of vft or dsm; empty: the one that comes with the program
    finetune: bool = False  #: let a small network correct the rendered images, within limits


@dataclass(frozen=True)
class Automatic:
    """What a closed loop leaves to the program, as it is chosen."""

    azimuths: int
    least_fall: float
    draws: int


def automatic(params: ClosedLoop) -> Automatic:
    """Choose by the quality what the parameters leave open."""
    chosen = Automatic(32, 1e-3, 32) if params.quality == "metrology" else Automatic(16, 1e-2, 16)
    return Automatic(
        params.azimuths or chosen.azimuths, params.least_fall or chosen.least_fall, params.draws or chosen.draws
    )


@dataclass(frozen=True)
class CheckCalibration(Reconstruct):
    """Gather what tells whether a detector's calibration can be right for a set of images. Inputs: see `Reconstruct`.

    Gives as ``info`` the evidence that `metrology.calibration_check.judge` puts into words; see `engine.calibration.check`.
    """

    emission: Emission = field(default_factory=Emission)


@dataclass(frozen=True)
class FunctionalStd(ClosedLoop):
    """Exact standard deviations of functionals of the height (Fisher information) about a finished closed-loop run.

    The run's parameters and inputs, and ``height`` [row, col] of the run in nm, ``weights`` [m, row, col] of the crop's size:
    functional i is ``Sum weights_i * height``. Gives ``info["std_nm"]`` [m], noise and what the prior leaves open.
    """


@dataclass(frozen=True)
class Cycle(Learned):
    """Cycle consistency: render the images of a finished run's height and material, reconstruct them, compare.

    The run's parameters, `method` among them; inputs ``height``, ``rho`` and ``mask`` [row, col] of the run. Gives ``height``
    [row, col] of the second reconstruction and ``difference`` (second minus first, plane removed; both nm), and as ``info``
    `rms_nm`, `rms_percent` (of the height's standard deviation), `largest_nm`, `normal_error_deg` (mean) and `caveat`.
    """

    method: str = choice("closed-loop", "linear", "closed-loop", "learned", label="Method")
    dose_grey: float | None = quantity(
        None, label="Grey values per electron of the added noise", low=1e-12, high=1e12, help="None: no noise."
    )


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
