"""Writes X3P, the exchange format of ISO 25178-72 for areal surface texture (XML 3D surface profile).

An X3P file is a ZIP archive with the record in ``main.xml``, the heights in ``bindata/data.bin`` and the MD5 sum of the
record in ``md5checksum.hex``. Lengths are in metres; points without a height are NaN. The first row is the top of the image, as
in the revision "ISO5436 - 2000" that is declared, and as Gwyddion and SurfaceTopography read it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np

from eclips_app.core.context import Context
from eclips_app.plugin_api.protocols import Surface
from eclips_app.version import VERSION

_NAMESPACE = "http://www.opengps.eu/2008/ISO5436_2"
_DATA = "bindata/data.bin"


class X3pExporter:
    """Height maps as X3P with 64-bit heights."""

    name = "X3P, ISO 25178-72"
    suffixes = (".x3p",)

    def write(self, path: Path, surface: Surface, context: Context) -> None:
        """Write the surface to `path`."""
        heights_m = (surface.height.astype("<f8") * 1e-9).tobytes()
        context.progress(0.3, "Writing X3P")
        record = _record(surface, hashlib.md5(heights_m, usedforsecurity=False).hexdigest())
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("main.xml", record)
            archive.writestr(_DATA, heights_m)
            checksum = hashlib.md5(record, usedforsecurity=False).hexdigest()
            archive.writestr("md5checksum.hex", f"{checksum} *main.xml\n")
        context.progress(1.0, "Written")


def _record(surface: Surface, data_md5: str) -> bytes:
    rows, columns = np.shape(surface.height)
    step_x, step_y = (repr(size * 1e-9) for size in surface.pixel_sizes_nm)
    root = Xml.Element(f"{{{_NAMESPACE}}}ISO5436_2")
    axes = {"Revision": "ISO5436 - 2000", "FeatureType": "SUR", "Axes": {
        "CX": {"AxisType": "I", "DataType": "D", "Increment": step_x, "Offset": "0"},
        "CY": {"AxisType": "I", "DataType": "D", "Increment": step_y, "Offset": "0"},
        "CZ": {"AxisType": "A", "DataType": "D", "Increment": "1", "Offset": "0"},
    }}  # fmt: skip
    comment = f"{surface.title}. {json.dumps(surface.provenance)}" if surface.provenance else surface.title
    made = {
        "Date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "Instrument": {"Manufacturer": "not known", "Model": "SEM, ECLIPS", "Serial": "not known", "Version": VERSION},
        "CalibrationDate": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "ProbingSystem": {"Type": "NonContacting", "Identification": "segmented backscattered-electron detector"},
        "Comment": comment,
    }
    matrix = {
        "MatrixDimension": {"SizeX": str(columns), "SizeY": str(rows), "SizeZ": "1"},
        "DataLink": {"PointDataLink": _DATA, "MD5ChecksumPointData": data_md5},
    }
    records: list[dict[str, Any]] = [axes, made, matrix, {"ChecksumFile": "md5checksum.hex"}]
    for number, content in enumerate(records, 1):
        _fill(Xml.SubElement(root, f"Record{number}"), content)
    Xml.register_namespace("p", _NAMESPACE)
    record: bytes = Xml.tostring(root, encoding="UTF-8", xml_declaration=True)
    return record


def _fill(parent: Xml.Element, content: dict[str, Any]) -> None:
    for name, value in content.items():
        child = Xml.SubElement(parent, name)
        if isinstance(value, dict):
            _fill(child, value)
        else:
            child.text = str(value)
