"""Emission tables: yield, direction, energy and exit radius of backscattered electrons by beam energy and tilt, in one file.

A table is a NumPy archive without pickled objects; `resources/emission/README.md` describes the ones that come with the program.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import paths
from eclips_app.core.emission import materials
from eclips_app.core.errors import EclipsError

Float = NDArray[np.float64]

SCHEMA = "eclips-emission/1"
_WIDEST = 2048  #: half the edge of a kernel, in pixels
_FIELDS = (
    "energies_kev", "tilts_deg", "yield_", "yield_std", "fractions", "spectrum", "zernike", "zernike_std", "zernike_nm",
    "radius_quantiles", "radius_nm", "shift_nm",
)  # fmt: skip


@dataclass(frozen=True)
class Emitted:
    """Emission at one beam energy, summed over the electrons' energies.

    Attributes
    ----------
    tilts_deg : array [a]
    yield_ : array [a]
        Electrons that leave (and count) per electron of the beam.
    zernike : array [a, z]
        Mean of each Zernike polynomial of the direction over these electrons: the coefficients of their density on the unit disc.
    reduced : array [a, z]
        `zernike` without its factor ``sin(tilt)^m``: even and smooth in the tilt, with the right limit at normal incidence.
    nm : array [z, 2]
        Degree n and azimuthal order m of the polynomials.
    """

    tilts_deg: Float
    yield_: Float
    zernike: Float
    reduced: Float
    nm: NDArray[np.int64]


@dataclass(frozen=True)
class EmissionTable:
    """Emission of one material.

    Attributes
    ----------
    energies_kev : array [e]
        Beam energies, rising.
    tilts_deg : array [a]
        Angles between beam and normal, rising from 0.
    yield_, yield_std : array [e, a]
        Backscatter coefficient (smoothed over the tilt) and the standard error of the single run.
    fractions : array [b + 1]
        Edges of the bins of E/E0.
    spectrum : array [e, a, b]
        Part of the electrons in each bin.
    zernike, zernike_std : array [e, a, b, z]
        Mean over the electrons of a bin of the Zernike polynomials of the direction's components (x' forward, y' across) in the
        surface, normalised to a mean square of 1 over the unit disc, divided by ``sin(tilt)^m``; standard error of the mean.
    zernike_nm : array [z, 2]
        Degree and azimuthal order (cosine terms alone: both sides of the plane of incidence are alike).
    radius_quantiles : array [q]
    radius_nm : array [e, a, q]
        Distance of the exit point from the probe.
    shift_nm : array [e, a]
        Mean forward displacement of the exit point.
    meta : dict
        Material, formula, density and how the table was made.
    """

    energies_kev: Float
    tilts_deg: Float
    yield_: Float
    yield_std: Float
    fractions: Float
    spectrum: Float
    zernike: Float
    zernike_std: Float
    zernike_nm: NDArray[np.int64]
    radius_quantiles: Float
    radius_nm: Float
    shift_nm: Float
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The material's name."""
        return str(self.meta.get("material", "?"))

    def at(
        self, energy_kev: float, threshold_kev: float = 0.0, response: Callable[[Float], Float] | None = None
    ) -> Emitted:
        """Give the emission at a beam energy, interpolated in the logarithm of the energy.

        Parameters
        ----------
        energy_kev : float
            Beam energy.
        threshold_kev : float
            Electrons below do not count.
        response : callable, optional
            Weight of electrons by their energies in keV; default 1. The yield becomes a weighted one.

        Raises
        ------
        EclipsError
            If the table does not hold that energy, or no electron is above the threshold.
        """
        edges = self.fractions * energy_kev
        counted = np.clip((edges[1:] - threshold_kev) / np.diff(edges), 0.0, 1.0)
        if response is not None:
            counted = counted * response((np.maximum(edges[:-1], threshold_kev) + edges[1:]) / 2)
        spectrum = self._between(self.spectrum, energy_kev) * counted
        share = spectrum.sum(axis=1)
        if not (share > 0).all():
            raise EclipsError(
                f"no electron of a beam of {energy_kev:g} keV is counted",
                hint=f"Lower the threshold of {threshold_kev:g} keV.",
            )
        reduced = np.einsum("ab,abz->az", spectrum / share[:, None], self._between(self.zernike, energy_kev))
        forward = np.sin(np.deg2rad(self.tilts_deg))[:, None] ** self.zernike_nm[:, 1]
        yields = np.exp(self._between(np.log(self.yield_), energy_kev)) * share
        return Emitted(self.tilts_deg, yields, reduced * forward, reduced, self.zernike_nm)

    def spectrum_at(self, energy_kev: float) -> tuple[Float, Float]:
        """Give the middles of the bins of E/E0 and the part of the electrons in each, at normal incidence."""
        return (self.fractions[1:] + self.fractions[:-1]) / 2, self._between(self.spectrum, energy_kev)[0]

    def exit_radius_nm(self, energy_kev: float, quantile: float = 0.5) -> float:
        """Give the distance from the probe within which a part of the electrons leaves, at normal incidence."""
        if not 0.0 < quantile <= self.radius_quantiles[-1]:
            raise EclipsError(
                f"the table of {self.name} holds exit radii up to {100 * self.radius_quantiles[-1]:g} %, not {100 * quantile:g} %"
            )
        return float(np.interp(quantile, [0.0, *self.radius_quantiles], [0.0, *self._radii(energy_kev)]))

    def kernel(self, energy_kev: float, spacing_nm: float) -> Float:
        """Give the density of exit points on pixels of a given size, [row, col] about the probe in the middle; sums to 1.

        It has radial symmetry (normal incidence) and ends at the radius within which 99 % of the electrons leave.

        Raises
        ------
        EclipsError
            If the table does not hold that energy, or this radius is more than 2048 pixels.
        """
        if not spacing_nm > 0:
            raise EclipsError(f"a pixel size of {spacing_nm:g} nm cannot be", hint="Give a value above zero.")
        radii = np.array([0.0, *self._radii(energy_kev)])
        half = int(np.ceil(radii[-1] / spacing_nm - 0.5))
        if half > _WIDEST:
            raise EclipsError(
                f"electrons leave up to {half} pixels of {spacing_nm:g} nm from the probe",
                hint=f"Up to {_WIDEST} can be computed: choose larger pixels or a lower beam energy.",
            )
        count, turns = 2048, 64
        at = np.interp(
            (np.arange(count) + 0.5) / count * self.radius_quantiles[-1], [0.0, *self.radius_quantiles], radii
        )
        # A point every 64th of an eighth of a turn, each ring turned by the golden section; mirrored into all eighths.
        angle = (np.arange(turns)[None, :] + (np.arange(count) * 0.6180339887498949 % 1.0)[:, None]) / turns * np.pi / 4
        column = np.rint(at[:, None] * np.cos(angle) / spacing_nm).astype(int)
        row = np.rint(at[:, None] * np.sin(angle) / spacing_nm).astype(int)
        eighth = np.zeros((half + 1, half + 1))
        np.add.at(eighth, (np.minimum(row, half), np.minimum(column, half)), 1.0)
        quarter = eighth + eighth.T
        lower = np.concatenate([quarter[:, :0:-1], quarter], axis=1)
        full = np.concatenate([lower[:0:-1], lower])
        full[half] *= 2.0  # of pixels on an axis, the points lie on one side of it alone
        full[:, half] *= 2.0
        return np.asarray(full / full.sum())

    def _radii(self, energy_kev: float) -> Float:
        return np.asarray(np.exp(self._between(np.log(self.radius_nm), energy_kev)[0]))

    def _between(self, values: Float, energy_kev: float) -> Float:
        """Interpolate along the first axis, linear in the logarithm of the beam energy."""
        low, high = float(self.energies_kev[0]), float(self.energies_kev[-1])
        if not low * (1 - 1e-9) <= energy_kev <= high * (1 + 1e-9):
            formula = self.meta.get("formula", self.name)
            raise EclipsError(
                f"the emission table of {self.name} goes from {low:g} to {high:g} keV, not to {energy_kev:g} keV",
                hint=f"Choose such an energy, or compute a table with 'eclips emission {formula} --energies … -o FILE.npz'.",
            )
        if low == high:
            return np.asarray(values[0])
        at = np.interp(np.log(energy_kev), np.log(self.energies_kev), np.arange(len(self.energies_kev)))
        first = min(int(at), len(self.energies_kev) - 2)
        return np.asarray(values[first] * (1 - (at - first)) + values[first + 1] * (at - first))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give the arrays by name, as they are in a file."""
        return {name: getattr(self, name) for name in _FIELDS}

    def write(self, path: Path) -> None:
        """Write the table; the file appears only when it is complete."""
        half = path.with_name(path.name + ".part")
        packed: dict[str, Any] = {
            n: v.astype(np.float32) if n in ("zernike", "zernike_std", "spectrum") else v
            for n, v in self.arrays().items()
        }
        try:
            with half.open("wb") as stream:
                np.savez_compressed(stream, schema=SCHEMA, meta=json.dumps(self.meta), **packed)
            half.replace(path)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise EclipsError(f"it cannot be written ({error.strerror or error})", where=str(path)) from error


def from_arrays(arrays: Mapping[str, NDArray[Any]], meta: dict[str, Any], where: str = "") -> EmissionTable:
    """Make a table from its arrays.

    Raises
    ------
    EclipsError
        If arrays are missing, do not fit together or hold values that cannot be.
    """
    missing = [name for name in _FIELDS if name not in arrays]
    if missing:
        raise _damaged(where, f"'{missing[0]}' is missing")
    found: dict[str, Any] = {
        n: np.asarray(arrays[n], dtype=np.int64 if n == "zernike_nm" else np.float64) for n in _FIELDS
    }
    e, a, q = (found[n].size for n in ("energies_kev", "tilts_deg", "radius_quantiles"))
    b, z = found["fractions"].size - 1, len(found["zernike_nm"])
    shapes = {
        "energies_kev": (e,), "tilts_deg": (a,), "yield_": (e, a), "yield_std": (e, a), "fractions": (b + 1,),
        "spectrum": (e, a, b), "zernike": (e, a, b, z), "zernike_std": (e, a, b, z), "zernike_nm": (z, 2),
        "radius_quantiles": (q,), "radius_nm": (e, a, q), "shift_nm": (e, a),
    }  # fmt: skip
    for name, shape in shapes.items():
        if found[name].shape != shape or not found[name].size or not np.isfinite(found[name]).all():
            raise _damaged(where, f"'{name}' does not fit")
    for name in ("energies_kev", "tilts_deg", "fractions", "radius_quantiles"):
        if (np.diff(found[name]) <= 0).any() or found[name][0] < 0:
            raise _damaged(where, f"'{name}' does not rise")
    if (found["yield_"] <= 0).any() or (found["radius_nm"] <= 0).any() or found["energies_kev"][0] <= 0:
        raise _damaged(where, "a value is not above zero")
    return EmissionTable(**found, meta=meta)


def read_table(name_or_path: str) -> EmissionTable:
    """Read a table by the name of a shipped one, such as ``Cu``, or from a file.

    Raises
    ------
    EclipsError
        If there is none, or the file is damaged or no emission table.
    """
    if name_or_path in materials():
        return _read(paths.resource(f"emission/{name_or_path}.npz"))
    path = Path(name_or_path)
    if not path.is_file():
        raise EclipsError(
            f"there is no emission table '{name_or_path}'",
            hint=f"Choose one of {', '.join(materials())}, or compute one with 'eclips emission FORMULA -o FILE.npz'.",
        )
    return _read(path)


def _read(path: Path) -> EmissionTable:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            if "schema" not in file or str(file["schema"]) != SCHEMA:
                raise _damaged(str(path), f"it is not {SCHEMA}")
            arrays = {name: file[name] for name in file.files if name in _FIELDS}
            meta = json.loads(str(file["meta"]))
        if not isinstance(meta, dict):
            raise ValueError("meta")
        return from_arrays(arrays, meta, str(path))
    except (
        OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, MemoryError, OverflowError, struct.error,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise _damaged(str(path), "it cannot be read") from error


def _damaged(where: str, why: str) -> EclipsError:
    return EclipsError(
        f"this is no emission table, or a damaged one: {why}", where=where,
        hint="Compute it again with 'eclips emission FORMULA -o FILE.npz'.",
    )  # fmt: skip
