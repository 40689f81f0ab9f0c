"""What the band about a curve shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.flows.sampling import Sampled
from eclips_app.gui.qt import Qt, QtWidgets

_CHOICES = (
    ("± 1 sd", "sd", 1.0, "Band: one standard deviation; the truth lies within it in 68 % of all cases"),
    ("95 %", "sd", 1.96, "Band: the truth lies within it in 95 % of all cases"),
    ("Spread", "spread", 1.0, "Band: how far the heights across the width scatter, mostly roughness"),
)


class BandChoice(QtWidgets.QComboBox):
    """Chooses the band. Curves without deviations always show the spread, and of these only the first."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Band about the curves")
        self.setToolTip("What the bands about the curves show, for runs that state their uncertainty")
        for i, (text, *_, tip) in enumerate(_CHOICES):
            self.addItem(text)
            self.setItemData(i, tip, Qt.ItemDataRole.ToolTipRole)

    def half_nm(self, sampled: Sampled) -> NDArray[np.float64] | None:
        """Give half the height of the band [point] in nm; None for no band."""
        _, kind, factor, _ = _CHOICES[self.currentIndex()]
        profile = sampled.profile
        if kind == "sd" and sampled.waits and sampled.deviates:
            return None
        if kind == "sd" and profile.deviations_nm is not None and profile.std_nm is not None:
            return factor * profile.std_nm
        return profile.spread_nm if sampled.role == "A" else None
