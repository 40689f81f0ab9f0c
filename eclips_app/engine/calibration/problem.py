"""The least-squares problem of a calibration: grey values of all patches as a function of detector, scan and objects.

``grey_k = offset_k + gain_k B (S_k + X dS_k/dX + Y dS_k/dY)`` with the response S of the detector to the slope (`response`), the
brightness B of the object and the beam's position (X, Y) in mm. Beside the residuals, weighted by their noise and the model's
error, the sum of squares holds what is known beforehand: (x - x_0) / sigma for each parameter and unknown with a deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import FREE, Observation, Parameter, parameter_names
from eclips_app.core.detector import Detector
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.tolerance import GEOMETRY, SCAN, gain_names, offset_names
from eclips_app.engine.calibration.patches import Patches
from eclips_app.engine.calibration.response import Answer, Response
from eclips_app.engine.calibration.shapes import CERTIFIED, FOUND_RADIUS, TILTS, Shape, Unknown
from eclips_app.engine.calibration.state import State, detector_of, initial_state, packed, unpacked

Float = NDArray[np.float64]

_MM_PER_NM = 1e-6
_TOGETHER = 1e-5  #: deviation of the gains' mean from what it is in the file: only their ratios mean anything
_ASPECT_STEP = 1e-6
_WIDE = 3e-4  #: of the distance
_STEEPEST_FOOT = 1.08  #: radius of a ball over the outline of a cap of it that is used up to 60 degrees
_BLACKEST, _LIGHT = 4.0, 0.02  #: of the median grey value: black level at the least, and signal at the least
_CENTER, _TILT = ("center_x_mm", "center_y_mm"), ("tilt_x_deg", "tilt_y_deg")


@dataclass(frozen=True)
class Seen:
    """An observation with its patches and the shape of its object."""

    observation: Observation
    patches: Patches
    shape: Shape | None  #: None for dark frames


class Problem:
    """Residuals and their derivatives by all that is free.

    Attributes
    ----------
    names : list of str
        Free parameters, then unknowns of the objects as ``N:name`` or ``series:name`` and brightnesses.
    start, lower, upper, known, known_std : arrays [x]
        Where to start, limits, and what is known beforehand (infinite where nothing is).
    certified : bool array [x]
        Unknowns that say how large an object is: radius, tilt of faces, scale of heights. A fit must not move them, for what its
        model misses would; their deviations count all the same.
    model_error : float
        Of the signal, relative; `black_levels` [k] are where the signal begins for that.
    caution : float
        By which the deviations of images of objects are larger than that (`covariance.caution`).
    """

    def __init__(
        self, detector: Detector, emission: Emission, parameters: Sequence[Parameter], seen: Sequence[Seen]
    ) -> None:
        self.detector, self.seen = detector, list(seen)
        self._emission, self._bends = emission, dict[int, Float]()
        self.initial = initial_state(detector, emission, parameters)
        self.model_error, self.caution, self.black_levels = 0.0, 1.0, self.initial.offsets
        self._values = packed(self.initial)
        every = parameter_names(detector)
        useless = () if emission.model == "parametric" else EMISSION
        self.free = [p.name for p in parameters if p.mode == FREE and p.name not in useless]
        self.response = Response(detector, emission, self._components())
        self._places = np.array([every.index(name) for name in self.free], int)
        stds = {p.name: p.std for p in parameters}
        self.names = list(self.free)
        self._start: list[float] = [float(self._values[i]) for i in self._places]
        self._std: list[float] = [stds[name] or np.inf for name in self.free]
        self._step_list = [0.0 if ":" in name and name not in EMISSION else 1e-2 for name in self.free]
        self._unknowns = [self._add_unknowns(number, each) for number, each in enumerate(self.seen)]
        self._brightness = [self._add_brightness(number, each) for number, each in enumerate(self.seen)]
        self.start, self.known_std = np.array(self._start), np.array(self._std)
        self.known, self._steps = self.start.copy(), np.array(self._step_list)
        self.certified = np.array([name.rsplit(":", 1)[-1] in CERTIFIED for name in self.names])
        self.lower, self.upper = self._limits()
        self._scale = float(
            self.response.at(self.initial.geometry, np.zeros(len(EMISSION)), np.zeros((2, 1))).signal.mean()
        )
        self._last: tuple[Float, list[tuple[Float, Float]]] | None = None

    def state(self, x: Float) -> State:
        """Give the detector at some values."""
        values = self._values.copy()
        values[self._places] = x[: len(self.free)]
        return unpacked(values, len(self.detector.quadrants))

    def detector_at(self, x: Float) -> Detector:
        """Give the detector file at some values."""
        return detector_of(self.state(x), self.detector)

    def emission_at(self, x: Float) -> Emission:
        """Give the emission model at some values."""
        if not self.response.is_parametric:
            return self._emission
        return replace(self._emission, coefficients=tuple(self.state(x).emission.tolist()))

    def learn_parallax(self, x: Float) -> None:
        """Find how the response's change with the beam's position follows everything that is free, at some values.

        These second derivatives hardly change during a fit. Without them a fit of a wide field stops short of its optimum.
        """
        wide = [n for n, each in enumerate(self.seen) if each.shape is not None and self._is_wide(each)]
        there = {number: self._parallax(number, x) for number in wide}
        self._bends = {number: np.zeros((*each.shape, x.size)) for number, each in there.items()}
        for place in range(x.size) if wide else ():
            moved = x.copy()
            moved[place] += (step := self._steps[place])
            for number in wide if step else ():
                self._bends[number][..., place] = (self._parallax(number, moved) - there[number]) / step

    def modelled(self, x: Float) -> list[Float]:
        """Give the grey values of the patches [m, k] of each observation."""
        return [values for values, _ in self._evaluated(x)]

    def residuals(self, x: Float) -> Float:
        """Give all residuals, over their deviations, and then what is known beforehand."""
        off = [
            ((values - each.patches.grey) / self.deviation(number)).ravel()
            for number, (each, values) in enumerate(zip(self.seen, self.modelled(x), strict=True))
        ]
        return np.concatenate([*off, self._beforehand(x)])

    def jacobian(self, x: Float) -> Float:
        """Give the derivatives of `residuals` [n, x]; deviations are taken as given."""
        rows = [
            (change / self.deviation(number)[:, :, None]).reshape(-1, x.size)
            for number, (_, change) in enumerate(self._evaluated(x))
        ]
        return np.concatenate([*rows, self._beforehand_jacobian(x)])

    def deviation(self, number: int) -> Float:
        """Give the standard deviations [m, k] of an observation's patches: noise, and the model's error."""
        each = self.seen[number]
        error = 0.0 if each.shape is None else self.model_error
        # The measured mean, not the model's: a deviation that the fit could change would draw it toward dark models.
        signal = np.maximum(each.patches.grey - self.black_levels, 0.0)
        caution = 1.0 if each.shape is None else self.caution
        return caution * np.sqrt(each.patches.variance + (error * signal) ** 2)

    def rendered(self, number: int, at: Seen, x: Float) -> Float:
        """Give the grey values [m, k] of other patches of an observation."""
        kept, self.seen[number] = self.seen[number], at
        try:
            return self._observe(number, x, self.state(x))[0]
        finally:
            self.seen[number] = kept

    def drop(self, number: int, dropped: NDArray[np.bool_]) -> None:
        """Leave out patches of an observation: nothing is known of them any more."""
        each = self.seen[number]
        variance = np.where(dropped[:, None], np.inf, each.patches.variance)
        self.seen[number] = replace(each, patches=replace(each.patches, variance=variance))

    def slopes(self, number: int, x: Float) -> Float:
        """Give the mean slopes [2, m] of an observation's patches."""
        each = self.seen[number]
        assert each.shape is not None
        found = each.shape.slopes(x[self._unknowns[number]], self.state(x).scan[1])
        return each.patches.averaged(found.T).T

    def unknowns_of(self, number: int) -> list[tuple[str, int]]:
        """Give names of an observation's unknowns and their places among the values."""
        shape = self.seen[number].shape
        return (
            [] if shape is None else [(u.name, p) for u, p in zip(shape.unknowns, self._unknowns[number], strict=True)]
        )

    def _components(self) -> list[str]:
        """Give the components of the geometry that are free, or that the beam's position on the specimen moves."""
        inclined = self.initial.scan[0] != 0.0 or SCAN[0] in self.free
        moved = (*_CENTER, *(_TILT if inclined else ()))
        return [name for name in GEOMETRY if name in self.free or name in moved]

    def _add_unknowns(self, number: int, each: Seen) -> list[int]:
        """Give the places of an observation's unknowns; those of a series are the same."""
        if each.shape is None:
            return []
        series = each.observation.series
        return [
            self._place(f"{series}:{u.name}" if series and u.name in TILTS else f"{number + 1}:{u.name}", u)
            for u in each.shape.unknowns
        ]

    def _add_brightness(self, number: int, each: Seen) -> int:
        """Give the place of the logarithm of an observation's brightness, that of its series if it is in one."""
        if each.shape is None:
            return -1
        signal = each.patches.grey - self.initial.offsets
        start = float(np.log(max(np.median(signal / self.initial.gains), 1e-9) / (each.observation.current or 1.0)))
        name = f"{each.observation.series or number + 1}:brightness"
        return self._place(name, Unknown("brightness", start, None, 0.0))

    def _place(self, name: str, unknown: Unknown) -> int:
        if name not in self.names:
            self.names.append(name)
            self._start.append(unknown.start)
            self._std.append(unknown.std or np.inf)
            self._step_list.append(unknown.step)
        return self.names.index(name)

    def _limits(self) -> tuple[Float, Float]:
        """Keep lengths and gains above zero, radii apart, and tilts and offsets where a detector can be."""
        start, few = self.start, 8.0 * self.known_std
        lower, upper = start - few, start + few
        for i, name in enumerate(self.free):
            if name.startswith("gain:") or name == "pixel_aspect":
                lower[i], upper[i] = max(lower[i], 0.05 * start[i]), min(upper[i], 20.0 * start[i])
            elif name.startswith("offset:"):
                level = self._grey(offset_names(self.detector).index(name))
                lower[i], upper[i] = max(lower[i], -_BLACKEST * level[1]), min(upper[i], level[0] - _LIGHT * level[1])
            elif name.endswith("_mm"):
                room = 0.4 * self.detector.distance_mm
                lower[i], upper[i] = max(lower[i], start[i] - room), min(upper[i], start[i] + room)
                if "radius" in name:
                    room = 0.4 * (self.detector.outer_radius_mm - self.detector.inner_radius_mm)
                    lower[i], upper[i] = max(lower[i], start[i] - room, 0.0), min(upper[i], start[i] + room)
            elif name.startswith("tilt_"):
                lower[i], upper[i] = max(lower[i], -30.0), min(upper[i], 30.0)
        for i, name in enumerate(self.names):
            if name.endswith(f":{FOUND_RADIUS}"):
                lower[i], upper[i] = 0.99 * start[i], _STEEPEST_FOOT * start[i]
        return lower, upper

    def _grey(self, segment: int) -> tuple[float, float]:
        """Give the lowest and the median grey value of a segment on objects."""
        grey = [each.patches.grey[:, segment] for each in self.seen if each.shape is not None]
        return (float(np.min(np.concatenate(grey))), float(np.median(np.concatenate(grey)))) if grey else (np.inf, 1e9)

    def _beforehand(self, x: Float) -> Float:
        gains = self.state(x).gains / self.initial.gains
        return np.asarray(np.append((x - self.known) / self.known_std, (gains.mean() - 1.0) / _TOGETHER))

    def _beforehand_jacobian(self, x: Float) -> Float:
        together = np.zeros(x.size)
        for k, name in enumerate(gain_names(self.detector)):
            if name in self.free:
                together[self.free.index(name)] = 1.0 / (self.initial.gains[k] * self.initial.gains.size * _TOGETHER)
        return np.vstack([np.diag(1.0 / self.known_std), together])

    def _evaluated(self, x: Float) -> list[tuple[Float, Float]]:
        """Give values [m, k] and derivatives [m, k, x] of each observation, kept for the next call with the same x."""
        if self._last is None or not np.array_equal(self._last[0], x):
            state = self.state(x)
            self._last = x.copy(), [self._observe(number, x, state) for number in range(len(self.seen))]
        return self._last[1]

    def _observe(self, number: int, x: Float, state: State) -> tuple[Float, Float]:
        each = self.seen[number]
        m, k = each.patches.grey.shape
        change = np.zeros((m, k, x.size))
        for place, name in enumerate(offset_names(self.detector)):
            if name in self.free:
                change[:, place, self.free.index(name)] = 1.0
        if each.shape is None:
            return np.repeat(state.offsets[None], m, axis=0), change
        cells, by_every = self._cells(number, x, state)
        bright = np.exp(x[self._brightness[number]]) * (each.observation.current or 1.0) / self._scale
        signal = each.patches.averaged(cells) * bright
        for place, column in by_every.items():
            change[:, :, place] += each.patches.averaged(column) * bright * state.gains
        change[:, :, self._brightness[number]] += signal * state.gains
        for place, name in enumerate(gain_names(self.detector)):
            if name in self.free:
                change[:, place, self.free.index(name)] += signal[:, place]
        return state.offsets + state.gains * signal, change

    def _cells(self, number: int, x: Float, state: State) -> tuple[Float, dict[int, Float]]:
        """Give the response of each cell [n, k], and its derivatives by place in x."""
        each = self.seen[number]
        assert each.shape is not None
        values = x[self._unknowns[number]]
        curvature, aspect = state.scan
        slopes, position = each.shape.slopes(values, aspect), self._positions_mm(each, aspect)
        answer = self._answer(number, x, state)
        moved = self._displacement(position, curvature, state.geometry)
        signal = answer.signal + np.einsum("nkg,gn->nk", answer.by_geometry, moved)
        found: dict[int, Float] = {}

        def by_slopes(changed: Float) -> Float:
            return np.asarray(np.einsum("nks,sn->nk", answer.by_slope, changed))

        for place, unknown in zip(self._unknowns[number], each.shape.unknowns, strict=True):
            at = [u.name for u in each.shape.unknowns].index(unknown.name)
            step = np.eye(values.size)[at] * unknown.step
            ahead, behind = (each.shape.slopes(values + sign * step, aspect) for sign in (1, -1))
            found[place] = by_slopes((ahead - behind) / (2 * unknown.step))
        for place, name in enumerate(self.free):
            if name in GEOMETRY:
                found[place] = answer.by_geometry[:, :, GEOMETRY.index(name)]
            elif name in EMISSION:
                found[place] = answer.by_emission[:, :, EMISSION.index(name)]
            elif name == "pixel_aspect":
                change = each.shape.slopes(values, aspect + _ASPECT_STEP) - slopes
                found[place] = by_slopes(change / _ASPECT_STEP)
            elif name == "scan_curvature_per_m":
                turn = self._displacement(position, 1.0, state.geometry) - self._displacement(
                    position, 0.0, state.geometry
                )
                found[place] = by_slopes(-1e-3 * position) + np.einsum("nkg,gn->nk", answer.by_geometry, turn)
        if number in self._bends and len(self._bends[number]) == len(signal):
            found = {place: column + self._bends[number][..., place] for place, column in found.items()}
        return signal, found

    def _parallax(self, number: int, x: Float) -> Float:
        """Give what the beam's position adds to the response of each cell [n, k]."""
        each, state = self.seen[number], self.state(x)
        moved = self._displacement(self._positions_mm(each, state.scan[1]), state.scan[0], state.geometry)
        return np.asarray(np.einsum("nkg,gn->nk", self._answer(number, x, state).by_geometry, moved))

    def _is_wide(self, each: Seen) -> bool:
        """Tell whether the detector looks different from the ends of a field."""
        return bool(np.abs(self._positions_mm(each, 1.0)).max() > _WIDE * self.detector.distance_mm)

    def _answer(self, number: int, x: Float, state: State) -> Answer:
        """Give the detector's response to the cells' slopes, as the inclined beam sees them."""
        each = self.seen[number]
        assert each.shape is not None
        curvature, aspect = state.scan
        slopes = each.shape.slopes(x[self._unknowns[number]], aspect)
        inclined = slopes - curvature * 1e-3 * self._positions_mm(each, aspect)
        return self.response.at(state.geometry, state.emission, inclined)

    def _positions_mm(self, each: Seen, aspect: float) -> Float:
        """Give where the beam stands on each cell (x, y) [2, n] in mm from the axis."""
        axis = each.observation.axis_px
        assert axis is not None  # completed
        size = each.observation.pixel_size_nm * _MM_PER_NM
        return np.stack([(each.patches.columns - axis[1]) * size, (axis[0] - each.patches.rows) * size * aspect])

    def _displacement(self, position: Float, curvature: float, geometry: Float) -> Float:
        """Give how the detector lies otherwise [8, n] as seen from each position: moved, and turned with the beam."""
        moved = np.zeros((len(GEOMETRY), position.shape[1]))
        about_x, about_y = -position[1] * curvature * 1e-3, position[0] * curvature * 1e-3
        distance = geometry[GEOMETRY.index("distance_mm")]
        moved[GEOMETRY.index("center_x_mm")] = -position[0] + distance * about_y
        moved[GEOMETRY.index("center_y_mm")] = -position[1] - distance * about_x
        moved[GEOMETRY.index("tilt_x_deg")] = np.rad2deg(about_x)
        moved[GEOMETRY.index("tilt_y_deg")] = np.rad2deg(about_y)
        return moved
