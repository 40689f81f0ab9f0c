"""The things a project holds. All are frozen: an edit replaces an item by a changed copy with the same id.

Those that hold arrays are equal only to themselves: comparing arrays would be slow, and has no single answer.

Pixel coordinates (col, row) count from the centre of the top-left pixel of the *uncropped* image, so that a line drawn on
one image lies at the same place on every image, height map and frame of the same set.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from eclips_app.core.calibration import Observation, Parameter
from eclips_app.core.crystal import Crystal
from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.schema import choice
from eclips_app.core.shapes import SHAPES, Point, Shape


def new_id() -> str:
    """Give a fresh item id."""
    return uuid.uuid4().hex[:12]


@dataclass(frozen=True)
class Acquisition:
    """What the microscope wrote about an image; None where it wrote nothing."""

    instrument: str | None = None
    detector: str | None = None
    segment: str | None = None
    pixel_size_nm: float | None = None
    energy_kev: float | None = None
    working_distance_mm: float | None = None
    scan_rotation_deg: float | None = None
    magnification: float | None = None
    contrast: float | None = None
    brightness: float | None = None
    gain: float | None = None
    offset: float | None = None
    dwell_us: float | None = None
    date: str | None = None


@dataclass(frozen=True, eq=False)
class SegmentImage:
    """One segment's image as read; `data` is [row, col] in its original type and read-only."""

    name: str
    data: NDArray[Any]
    acquisition: Acquisition = field(default_factory=Acquisition)
    source: str = ""
    page: int = 0
    sha256: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SegmentSet:
    """The images of one scan, in the order of the detector's segments."""

    id: str
    name: str
    images: tuple[SegmentImage, ...]
    pixel_size_nm: float | None = None
    pixel_size_source: str = ""  #: "metadata", "scale bar", "typed"; empty while it is not known
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)  #: first row, first column, end row, end column
    shifts_px: tuple[tuple[float, float], ...] = ()  #: rows, columns to move each segment by
    registration_quality: tuple[float, ...] = ()
    drift_px: NDArray[Any] | None = (
        None  #: [k, row of the crop, 2], rows and columns to move each row by beside the shift
    )
    exclude: NDArray[Any] | None = None  #: bool [row, col] of the uncropped image, True where not used
    clip_low: float | None = None
    clip_high: float | None = None
    time_s: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the uncropped images."""
        rows, columns = self.images[0].data.shape
        return rows, columns


@dataclass(frozen=True)
class DetectorItem:
    """The detector in use."""

    id: str
    detector: Detector
    path: str = ""  #: file it was loaded from or saved to


@dataclass(frozen=True, eq=False)
class Run:
    """A reconstruction with everything that made it. Arrays are read-only; names as in `core.steps.Reconstruct`."""

    id: str
    name: str
    set_id: str
    step: str
    step_version: int
    params: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    info: dict[str, Any]
    input_sha256: tuple[str, ...]
    created: str  #: ISO 8601, UTC
    duration_s: float
    starred: bool = False

    @property
    def pixel_size_nm(self) -> float:
        """Pixel size in nm."""
        return float(self.params["pixel_size_nm"])

    @property
    def origin_px(self) -> tuple[int, int]:
        """Row and column of the height map's first pixel in the uncropped image."""
        return int(self.params["crop"][0]), int(self.params["crop"][1])


@dataclass(frozen=True, eq=False)
class HeightMap:
    """A height map from elsewhere (AFM, profilometer); `height` [row, col] in nm, NaN where nothing was measured.

    Its centre lies at `center_px` (col, row) of the images. A point at (x right, y up) nm from the map's centre, moved by the
    drift of its row, is stretched by ``[[stretch[0], stretch[2]], [0, stretch[1]]]`` and then turned by `rotation_deg`
    counter-clockwise as seen.
    """

    id: str
    name: str
    height: NDArray[Any]
    pixel_size_nm: tuple[float, float]  #: x, y
    source: str = ""
    sha256: str = ""
    center_px: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0
    z_offset_nm: float = 0.0
    stretch: tuple[float, float, float] = (1.0, 1.0, 0.0)  #: along x, along y, shear
    drift_nm: tuple[tuple[float, float], ...] = ()  #: (x, y) at knots spread evenly from the first to the last row
    z_slope: tuple[float, float] = (0.0, 0.0)  #: rise to image right and image up that is added to the map
    placement: dict[str, Any] = field(default_factory=dict)  #: how it was found, with its covariance; empty: by hand
    raw: NDArray[Any] | None = None  #: as read, where `height` was levelled
    levelling: tuple[dict[str, Any], ...] = ()  #: what made `height` from `raw`, in order


@dataclass(frozen=True)
class ProfileLine:
    """A shape (see `core.shapes`) whose points are `start_px`, `via_px` and `end_px` (col, row)."""

    id: str
    name: str
    start_px: Point
    end_px: Point
    width_px: float = 1.0
    color: str = "#e6550d"
    visible: bool = True
    kind: str = choice("line", *SHAPES)
    via_px: tuple[Point, ...] = ()
    stretches_nm: tuple[tuple[float, float], ...] = ()  #: marked on the profile, in nm from its start

    @property
    def shape(self) -> Shape:
        """What is drawn."""
        return Shape(self.kind, (self.start_px, *self.via_px, self.end_px), self.width_px)

    @property
    def length_px(self) -> float:
        """Distance of the first from the last point, in pixels."""
        return math.dist(self.start_px, self.end_px)


@dataclass(frozen=True)
class Measurement:
    """A row of the results table: values read from a height map, with where they came from.

    One with a `recipe` is measured anew when its source or its shapes change.
    """

    id: str
    name: str
    source: str  #: what it was measured on, in words
    line_id: str  #: shape it was measured along; empty: the whole map
    run_id: str  #: reconstruction or height map
    values: dict[str, dict[str, Any]]  #: name -> {"value", "std", "unit"}, with "budget" where it has one
    recipe: dict[str, Any] = field(default_factory=dict)  #: `core.measuring.Recipe` as JSON; empty: read from cursors
    more_line_ids: tuple[str, ...] = ()  #: further shapes, for what is measured between several
    problem: str = ""  #: why there are no values
    notes: tuple[str, ...] = ()  #: what the measurement says beside its values
    seen: str = ""  #: source and shapes as they were when it was measured (`model.measurements.measured_print`)


@dataclass(frozen=True)
class Reference:
    """A set of images that shows an object of known shape.

    What the set itself tells (pixel size, crop, shifts, clip levels, acquisition) is not kept in `observation`, but taken from
    the set when it is used.
    """

    id: str
    set_id: str
    observation: Observation
    map_id: str = ""  #: height map of the same place, for the kind "heights"
    used: bool = True
    text: str = ""  #: what was found, in words
    seen: str = ""  #: the images as they were when it was found (`model.calibration.images_print`)


@dataclass(frozen=True)
class CalibrationPlan:
    """What the next calibration is made of; a project has one."""

    id: str
    detector: Detector | None = None  #: to start from; None: the one in use
    references: tuple[Reference, ...] = ()
    parameters: tuple[Parameter, ...] = ()  #: those that are chosen by hand
    emission: Emission = field(default_factory=lambda: Emission("parametric"))
    grey_per_electron: float | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    """A finished calibration with everything that made it. Arrays are read-only.

    Attributes
    ----------
    plan : CalibrationPlan
        As it was, so that one can go back to it.
    params : dict
        The step's parameters as JSON (`core.calibration.Calibrate`).
    info : dict
        What the step gave, without the detector; `references` (ids, in the order of the observations) and `prints` (the
        observations as they were, by id; `model.calibration.reference_print`).
    arrays : dict
        ``residual_N`` [k, row, col] of observation N, in % of the signal.
    """

    id: str
    name: str
    created: str  #: ISO 8601, UTC
    detector: Detector
    plan: CalibrationPlan
    params: dict[str, Any]
    info: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class CrystalItem:
    """The crystal that facets are compared with; a project has one."""

    id: str
    crystal: Crystal


@dataclass(frozen=True, eq=False)
class FacetSet:
    """The facets of a reconstruction or height map. Arrays are read-only.

    Attributes
    ----------
    source_id : str
        Run or height map that they were found on.
    params, info, arrays
        Parameters as JSON, facts and arrays of the step (`core.crystal.FindFacets`).
    reference : int
        Facet that slopes and azimuths are told from; 0: mean plane of the map, -1: plane of the image.
    """

    id: str
    name: str
    created: str  #: ISO 8601, UTC
    source_id: str
    params: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    info: dict[str, Any]
    reference: int = 0


@dataclass(frozen=True, eq=False)
class Comparison:
    """A reconstruction compared with a height map from elsewhere, with everything that made it. Arrays are read-only.

    Attributes
    ----------
    run_id, map_id : str
        What was compared.
    params : dict
        The step's parameters as JSON (`core.registration.CompareMap`), the placement of the map and the tip among them.
    info : dict
        `values` (name -> {"value", "std", "unit"}), with a tip `before` (the same without it), `sentences`, and the points of
        the diagrams (`model.comparing.comparison_of`).
    arrays : dict
        On the pixels of the run: ``difference`` [row, col], reconstruction minus map in nm; with a tip also ``dilated``, the
        reconstruction as the tip shows it, ``tip_difference``, that minus the map (both nm), and ``certain``, True where the
        map shows the surface itself.
    """

    id: str
    name: str
    run_id: str
    map_id: str
    created: str  #: ISO 8601, UTC
    params: dict[str, Any]
    info: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


Item = (
    SegmentSet
    | DetectorItem
    | Run
    | HeightMap
    | ProfileLine
    | Measurement
    | CalibrationPlan
    | Calibration
    | CrystalItem
    | FacetSet
    | Comparison
)
