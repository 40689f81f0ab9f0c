"""Reads segment images [segment, row, column] that a script saved with ``numpy.save``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.model.items import SegmentImage


class NumpyReader:
    """Segment images in a NumPy file of three dimensions."""

    name = "NumPy stack"
    suffixes = (".npy",)

    def sniff(self, path: Path) -> float:
        """Say how sure it is that the file is a NumPy file."""
        with path.open("rb") as file:
            return 1.0 if file.read(6) == b"\x93NUMPY" else 0.0

    def read_segments(self, path: Path) -> tuple[SegmentImage, ...]:
        """Read the images; raises `EclipsError` if the file holds something else."""
        stack = np.load(path, allow_pickle=False)
        if stack.ndim != 3:
            hint = "Save an array of segments, rows and columns."
            raise EclipsError(f"holds an array of {stack.ndim} dimensions", where=path.name, hint=hint)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return tuple(
            SegmentImage(f"{path.stem} {k}", image, source=str(path), page=k, sha256=sha256)
            for k, image in enumerate(stack)
        )
