"""Parameters of the reconstructions, and of what works on a finished one."""

from __future__ import annotations

from dataclasses import dataclass, field

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.schema import choice, quantity
from eclips_app.core.tolerance import Tolerances


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
    integrator: str = choice(
        "least-squares", "least-squares", "wiener", "bilateral", "pinn", label="Integrator",
        help="How slopes become heights. least-squares: linear, to measure. wiener: shrinks what is mostly noise. bilateral: "
        "for cliffs within a pixel. pinn: a network takes noise away. A closed loop only starts from it.",
    )  # fmt: skip
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
    finetune_weights: str = ""  #: file with that network; empty: the loop trains one on the images at hand


@dataclass(frozen=True)
class TrainFinetune(ClosedLoop):
    """Train a network that corrects rendered images by what a microscope does otherwise; on images of a known surface.

    Inputs as those of `ClosedLoop`, and ``height`` [row, col] in nm, the known surface on the pixels of the crop. Writes weights;
    gives ``factor`` [k, row, col], by which it changes the rendered signals, and as ``info`` `chi2_without`, `chi2_with` (per
    degree of freedom, on pixels that were held out), `rms`, `largest`, `limit`, `at_limit` (all in parts of the signal) and
    `output`. Brightness "pixel" leaves out how the yield rises with the tilt, which is common to all segments.
    """

    output: str = ""  #: file of the weights (.safetensors)
    limit: float = quantity(
        0.1, label="Largest correction", low=0.001, high=0.3, help="In parts of the rendered signal; it cannot do more."
    )
    updates: int = quantity(300, label="Updates", low=1, high=100_000)


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
