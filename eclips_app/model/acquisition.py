"""What the microscope wrote about the images of one scan, as a whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from eclips_app.model.items import SegmentSet

#: What belongs to one segment, or is better known from elsewhere.
_LEFT_OUT = ("segment", "pixel_size_nm", "magnification")


def acquisition_of(segment_set: SegmentSet) -> dict[str, Any]:
    """Give what is written about the scan (fields of `Acquisition`); left out is what the segments disagree on."""
    facts = [asdict(image.acquisition) for image in segment_set.images]
    said = {name: {each[name] for each in facts} - {None} for name in facts[0] if name not in _LEFT_OUT}
    return {name: values.pop() for name, values in said.items() if len(values) == 1}
