"""The least-squares problem of a calibration: grey values of all patches as a function of detector, scan and objects.

``grey_k = offset_k + gain_k B (S_k + X dS_k/dX + Y dS_k/dY)`` with the response S of the detector to the slope (`response`), the
brightness B of the object and the beam's position (X, Y) in mm. Beside the residuals, weighted by their noise and the model's
error, the sum of squares holds what is known beforehand: (x - x_0) / sigma for each parameter and unknown with a deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.calibration import FREE, Parameter, parameter_names
from eclips_app.core.detector import Detector
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.tolerance import GEOMETRY, SCAN, gain_names, offset_names
from eclips_app.engine.calibration.layout import Layout, limits
from eclips_app.engine.calibration.response import Answer, Response
from eclips_app.engine.calibration.seen import Seen, displacement
from eclips_app.engine.calibration.shapes import CERTIFIED
from eclips_app.engine.calibration.state import State, detector_of, initial_state, packed, unpacked

Float = NDArray[np.float64]

_TOGETHER = 1e-5  #: deviation of the gains' mean from what it is in the file: only their ratios mean anything
_ASPECT_STEP = 1e-6
_WIDE = 3e-4  #: of the distance
_STEPS = dict.fromkeys(GEOMETRY, 0.15)  #: mm or degrees, as far as the tables are smooth
_CENTER, _TILT = ("center_x_mm", "center_y_mm"), ("tilt_x_deg", "tilt_y_deg")


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
        laid = Layout(self.initial)
        for place, name in zip(self._places, self.free, strict=True):
            laid.add(
                name,
                float(self._values[place]),
                stds[name],
                _STEPS.get(name, 0.0 if ":" in name and name not in EMISSION else 1e-2),
            )
        self._unknowns = [laid.unknowns(number, each) for number, each in enumerate(self.seen)]
        self._brightness = [laid.brightness(number, each) for number, each in enumerate(self.seen)]
        self.names, self.start, self.known_std = laid.names, np.array(laid.start), np.array(laid.std)
        self.known, self._steps = self.start.copy(), np.array(laid.steps)
        self.certified = np.array([name.rsplit(":", 1)[-1] in CERTIFIED for name in self.names])
        self.lower, self.upper = limits(self.names, self.start, self.known_std, detector, self.seen)
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
        for place, step in enumerate(self._steps if wide else ()):
            for sign in (1, -1) if step else ():
                moved = x.copy()
                moved[place] += sign * step
                for number in wide:
                    self._bends[number][..., place] += sign * self._parallax(number, moved) / (2 * step)

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

    @property
    def values(self) -> int:
        """Number of the residuals that are mean grey values; those after them are what is known beforehand."""
        return sum(each.patches.grey.size for each in self.seen)

    def deviation(self, number: int, model_error: float | None = None) -> Float:
        """Give the standard deviations [m, k] of an observation's patches: noise, and the model's error, as it is or as given."""
        each = self.seen[number]
        error = self.model_error if model_error is None else model_error
        error = 0.0 if each.shape is None else error
        # The measured mean, not the model's: a deviation that the fit could change would draw it toward dark models.
        signal = np.maximum(each.patches.grey - self.black_levels, 0.0)
        caution = 1.0 if each.shape is None else self.caution
        return caution * np.sqrt(each.patches.variance + (error * signal) ** 2)

    def rendered(self, number: int, at: Seen, x: Float) -> Float:
        """Give the grey values [m, k] of other patches of an observation."""
        return self._observe(number, at, x, self.state(x))[0]

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
            self._last = x.copy(), [self._observe(number, each, x, state) for number, each in enumerate(self.seen)]
        return self._last[1]

    def _observe(self, number: int, each: Seen, x: Float, state: State) -> tuple[Float, Float]:
        m, k = each.patches.grey.shape
        change = np.zeros((m, k, x.size))
        for place, name in enumerate(offset_names(self.detector)):
            if name in self.free:
                change[:, place, self.free.index(name)] = 1.0
        if each.shape is None:
            return np.repeat(state.offsets[None], m, axis=0), change
        cells, by_every = self._cells(number, each, x, state)
        bright = np.exp(x[self._brightness[number]]) * (each.observation.current or 1.0) / self._scale
        signal = each.patches.averaged(cells) * bright
        for place, column in by_every.items():
            change[:, :, place] += each.patches.averaged(column) * bright * state.gains
        change[:, :, self._brightness[number]] += signal * state.gains
        for place, name in enumerate(gain_names(self.detector)):
            if name in self.free:
                change[:, place, self.free.index(name)] += signal[:, place]
        return state.offsets + state.gains * signal, change

    def _cells(self, number: int, each: Seen, x: Float, state: State) -> tuple[Float, dict[int, Float]]:
        """Give the response of each cell [n, k], and its derivatives by place in x."""
        assert each.shape is not None
        values = x[self._unknowns[number]]
        curvature, aspect = state.scan
        slopes, position = each.shape.slopes(values, aspect), each.positions_mm(aspect)
        answer = self._answer(number, each, x, state)
        moved = displacement(position, curvature, state.geometry)
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
                turn = displacement(position, 1.0, state.geometry) - displacement(position, 0.0, state.geometry)
                found[place] = by_slopes(-1e-3 * position) + np.einsum("nkg,gn->nk", answer.by_geometry, turn)
        if number in self._bends and each is self.seen[number]:
            found = {place: column + self._bends[number][..., place] for place, column in found.items()}
        return signal, found

    def _parallax(self, number: int, x: Float) -> Float:
        """Give what the beam's position adds to the response of each cell [n, k]."""
        each, state = self.seen[number], self.state(x)
        moved = displacement(each.positions_mm(state.scan[1]), state.scan[0], state.geometry)
        return np.asarray(np.einsum("nkg,gn->nk", self._answer(number, each, x, state).by_geometry, moved))

    def _is_wide(self, each: Seen) -> bool:
        """Tell whether the detector looks different from the ends of a field."""
        return bool(np.abs(each.positions_mm(1.0)).max() > _WIDE * self.detector.distance_mm)

    def _answer(self, number: int, each: Seen, x: Float, state: State) -> Answer:
        """Give the detector's response to the cells' slopes, as the inclined beam sees them."""
        assert each.shape is not None
        curvature, aspect = state.scan
        slopes = each.shape.slopes(x[self._unknowns[number]], aspect)
        inclined = slopes - curvature * 1e-3 * each.positions_mm(aspect)
        return self.response.at(state.geometry, state.emission, inclined)
