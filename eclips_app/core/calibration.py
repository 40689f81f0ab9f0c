"""What a detector is calibrated with, which of its parameters are free, and the names that they go by.

A calibration is one least-squares problem over any set of observations of objects whose shape is known. What comes out is a
detector, whose ``calibration`` says how it was found (`engine.calibration.step.calibrate_step`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eclips_app.core.detector import Detector, detector_from_json
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.schema import choice, quantity
from eclips_app.core.tolerance import GEOMETRY, SCAN, gain_names, offset_names, stated, std_of

FREE, FIXED = "free", "fixed"


def parameter_names(detector: Detector) -> tuple[str, ...]:
    """Give the names of all parameters that a calibration of a detector knows, in their order."""
    return (*GEOMETRY, *gain_names(detector), *offset_names(detector), *EMISSION, *SCAN)


def unit_of(name: str) -> str:
    """Give the unit of a parameter; empty for pure numbers (gains are relative to their mean)."""
    if name.startswith("offset:"):
        return "grey"
    return {"mm": "mm", "deg": "°", "m": "1/m"}.get(name.rsplit("_", 1)[-1], "") if name not in EMISSION else ""


@dataclass(frozen=True)
class Parameter:
    """How one parameter enters a calibration."""

    name: str
    mode: str = choice(FREE, FREE, FIXED, label="Mode")
    #: Where the fit starts and about which the prior lies; None: as in the starting detector.
    value: float | None = quantity(None, label="Value")
    std: float | None = quantity(
        None, label="Known to", low=0, high=1e9, help="Standard deviation before the calibration, as in a data sheet."
    )


@dataclass(frozen=True)
class Sphere:
    """A ball or a cap of one. What is None is found in the images."""

    center_px: tuple[float, float] | None = quantity(None, label="Centre (row, column)", unit="px", low=-1e5, high=1e5)
    radius_px: float | None = quantity(None, label="Outline", unit="px", low=3, high=1e5, help="Radius as seen.")
    radius_nm: float | None = quantity(None, label="Radius", unit="nm", low=1, high=1e8, help="None: not known.")
    radius_std_percent: float = quantity(1.0, label="Radius known to", unit="%", low=0.001, high=50)
    max_tilt_deg: float = quantity(60.0, label="Used up to a tilt of", unit="°", low=20, high=72)


@dataclass(frozen=True)
class Indent:
    """The imprint of a Vickers indenter: four faces of one tilt, 90 degrees apart. What is None is found in the images."""

    center_px: tuple[float, float] | None = quantity(None, label="Centre (row, column)", unit="px", low=-1e5, high=1e5)
    radius_px: float | None = quantity(None, label="Centre to corner", unit="px", low=5, high=1e5)
    rotation_deg: float | None = quantity(None, label="Azimuth of a face's normal", unit="°", low=-360, high=360)
    face_deg: float = quantity(22.0, label="Tilt of the faces", unit="°", low=5, high=45)
    face_std_deg: float = quantity(0.1, label="Tilt known to", unit="°", low=0.0, high=5)
    #: Faces in use, 0 to 3, counter-clockwise from `rotation_deg`.
    faces: tuple[int, ...] = (0, 1, 2, 3)


@dataclass(frozen=True)
class Flat:
    """An even, smooth area of one material."""

    #: First row, first column, end row, end column; zeros: the flattest part of the image is found.
    area: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Facets:
    """Areas of certified tilt, as of a stepped pyramid, a grating or a terrace edge."""

    #: First row, first column, end row, end column of each; empty: even slopes are found in the images.
    areas: tuple[tuple[int, int, int, int], ...] = ()
    #: Azimuth of the normal of each area in degrees; empty: found from the images.
    azimuths_deg: tuple[float, ...] = ()
    tilt_deg: float = quantity(54.74, label="Certified tilt", unit="°", low=1, high=72)
    tilt_std_deg: float = quantity(0.2, label="Tilt known to", unit="°", low=0.0, high=10)


@dataclass(frozen=True)
class Heights:
    """A height map of the same place (AFM), given as the array ``heights/N`` on the pixels of the images, NaN where unknown."""

    max_shift_px: float = quantity(16.0, label="Largest shift", unit="px", low=0, high=512)
    slope_std_percent: float = quantity(1.0, label="Slopes known to", unit="%", low=0.01, high=20)


@dataclass(frozen=True)
class Dark:
    """Images without beam: the black level. Only their grey values count."""


@dataclass(frozen=True)
class Observation:
    """Segment images of an object of known shape; exactly one of the kinds is given.

    Images are the arrays ``segments/N`` [k, row, col] for observation N, optional ``exclude/N`` [row, col] and ``heights/N``.
    """

    name: str = ""
    pixel_size_nm: float = quantity(1.0, label="Pixel size", unit="nm", low=1e-3, high=1e6)
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)  #: first row, first column, end row, end column; zeros: all
    shifts_px: tuple[tuple[float, float], ...] = ()  #: rows, columns to move each segment by; empty: none
    clip_low: float | None = None  #: grey values at or below count as clipped
    clip_high: float | None = None  #: grey values at or above count as clipped
    axis_px: tuple[float, float] | None = (
        None  #: row, column of the beam's axis; None: the middle of the uncropped image
    )
    #: Stage tilt (right-handed about x, then about y) and how well it is known.
    tilt_deg: tuple[float, float] = quantity(
        (0.0, 0.0), label="Stage tilt (about x, about y)", unit="°", low=-60, high=60
    )
    tilt_std_deg: float = quantity(1.0, label="Tilt known to", unit="°", low=0.0, high=20)
    #: Observations of one series are of one area under one current but for what is stated: they share brightness and base tilt.
    series: str = ""
    current: float | None = quantity(None, label="Beam current, relative", low=1e-6, high=1e6)
    acquisition: dict[str, Any] = field(
        default_factory=dict
    )  #: energy_kev, working_distance_mm, contrast, brightness …
    sources: tuple[str, ...] = ()  #: files, for the record
    sha256: tuple[str, ...] = ()  #: of the images, one for each source
    sphere: Sphere | None = None
    indent: Indent | None = None
    flat: Flat | None = None
    facets: Facets | None = None
    heights: Heights | None = None
    dark: Dark | None = None

    @property
    def kind(self) -> str:
        """The kind that is given; empty if there is none."""
        return next((kind for kind in KINDS if getattr(self, kind) is not None), "")


KINDS = {
    "sphere": "Sphere", "indent": "Vickers indent", "flat": "Flat area", "facets": "Known facets", "heights": "AFM map",
    "dark": "Dark frame",
}  # fmt: skip


@dataclass(frozen=True)
class Calibrate:
    """Calibrate a detector. Inputs: see `Observation`.

    Gives for each observation N ``residual/N`` [k, row, col] (measured minus modelled in % of the signal, NaN where not used,
    on pixels of the crop thinned out by ``info["observations"][N]["step"]``), and as ``info``:

    - ``detector``: the calibrated detector file as JSON;
    - ``parameters``: list of {name, unit, mode, start, prior_std, value, std, source, at_limit}, `std` None where nothing holds
      it;
    - ``free``: names in the order of ``covariance`` and ``correlation`` (matrices);
    - ``observations``: list of {name, kind, step, used, chi2, residual_percent, found, text}, where `found` is what was measured
      (such as radius_px, rotation_deg, tilt_x_deg) as numbers, with ``…_std``, and for certified sizes ``…_asked``, what the
      images alone say of them; `text` is one sentence;
    - ``chi2``, ``degrees_of_freedom``, ``model_error_percent`` (of the signal, what the model misses beyond noise);
    - ``warnings``: sentences on what the data cannot tell, or what contradicts;
    - ``curve``: {tilt_deg, lambert, tabulated, fitted, measured: [{tilt_deg, value, std, name}]}: slope gain k, see
      `engine.calibration.gain_curve`.
    """

    detector: Detector = field(default_factory=Detector)
    observations: tuple[Observation, ...] = ()
    #: Of those not named: geometry fixed, gains and offsets as `default_parameters` has them.
    parameters: tuple[Parameter, ...] = ()
    emission: Emission = field(default_factory=lambda: Emission("parametric"))
    name: str = "Calibration"
    grey_per_electron: float | None = quantity(
        None,
        label="Grey values per electron",
        low=1e-12,
        high=1e12,
        help="None: the noise is estimated from the images.",
    )


@dataclass(frozen=True)
class FindReference:
    """Find a reference object in segment images ``segments`` [k, row, col] (optional ``exclude``, ``heights``).

    Gives ``info["observation"]``, the observation with everything found filled in (JSON), ``info["text"]``, one sentence on what
    was found, and array ``used`` [row, col], True on the pixels of the crop that the fit would use.
    """

    detector: Detector = field(default_factory=Detector)
    observation: Observation = field(default_factory=Observation)


def default_parameters(detector: Detector, kinds: frozenset[str]) -> tuple[Parameter, ...]:
    """Give how parameters enter where nobody has chosen.

    Gains are free; nothing but an earlier calibration holds them. Offsets are free only with dark frames or where their
    deviation is stated, for in all else they go with the gains. Emission is free with a sphere, which shows all slopes, about
    Lambert's law by 1, which leaves out what no surface does. Geometry is free within the deviation that its calibration or
    typical dimensions state (`core.tolerance.stated`), else fixed.
    """
    known = stated(detector)
    found = []
    for name in parameter_names(detector):
        std: float | None = std_of(known, name) or None
        is_free = std is not None or name.startswith("gain:")
        if name.startswith("gain:") and detector.is_typical:
            std = None  # what is typical of a set of images that was balanced is not known of the amplifiers
        elif name.startswith("offset:"):
            is_free = is_free or "dark" in kinds
        elif name in EMISSION:
            is_free, std = is_free or "sphere" in kinds, std or 1.0
        found.append(Parameter(name, FREE if is_free else FIXED, std=std))
    return tuple(found)


def start_values(detector: Detector, emission: Emission) -> dict[str, float]:
    """Give where each parameter starts while nobody chooses: as in the detector file; 0 is Lambert's law, a parallel beam."""
    scan = (detector.calibration or {}).get("scan", {})
    values = (
        detector.distance_mm, detector.inner_radius_mm, detector.outer_radius_mm, *detector.center_mm, *detector.tilt_deg, 0.0,
        *(segment.gain for segment in detector.quadrants), *(segment.offset for segment in detector.quadrants),
        *(emission.coefficients or (0.0,) * len(EMISSION)), scan.get(SCAN[0], 0.0), scan.get(SCAN[1], 1.0),
    )  # fmt: skip
    return {name: float(value) for name, value in zip(parameter_names(detector), values, strict=True)}


def calibrated_detector(info: dict[str, Any], date: str) -> Detector:
    """Give the detector that a calibration's ``info`` (`Calibrate`) holds, with the date (ISO 8601) of the calibration."""
    content = dict(info["detector"])
    content["calibration"] = {**content["calibration"], "date": date}
    return detector_from_json(content, "calibrated detector")
