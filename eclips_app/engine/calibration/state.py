"""Everything of a detector and its scan that a calibration may change, as one record and as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import Parameter, start_values
from eclips_app.core.detector import Detector
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.tolerance import GEOMETRY
from eclips_app.engine.acceptance import with_geometry

Float = NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """Everything that a fit changes, at some values."""

    geometry: Float  #: [8]
    gains: Float  #: [k]
    offsets: Float  #: [k]
    emission: Float  #: [6]
    scan: Float  #: [2]


def initial_state(detector: Detector, emission: Emission, parameters: Sequence[Parameter]) -> State:
    """Give the values of the detector file, but for those that parameters carry."""
    values = start_values(detector, emission)
    values |= {parameter.name: parameter.value for parameter in parameters if parameter.value is not None}
    return unpacked(np.array(list(values.values())), len(detector.quadrants))


def detector_of(state: State, detector: Detector) -> Detector:
    """Give the detector file of a state; emission and scan have no place in it but the calibration."""
    moved = with_geometry(detector, state.geometry)
    channels = zip(moved.quadrants, state.gains, state.offsets, strict=True)
    return replace(moved, quadrants=tuple(replace(s, gain=float(g), offset=float(o)) for s, g, o in channels))


def packed(state: State) -> Float:
    """Give the values in the order of `parameter_names`."""
    return np.concatenate([state.geometry, state.gains, state.offsets, state.emission, state.scan])


def unpacked(values: Float, segments: int) -> State:
    """Undo `packed`."""
    ends = np.cumsum([len(GEOMETRY), segments, segments, len(EMISSION)])
    return State(*np.split(values, ends))
