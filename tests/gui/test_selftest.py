"""What the self-test takes for a blank window."""

from __future__ import annotations

from eclips_app.gui.qt import QtGui
from eclips_app.gui.selftest import count_colors


def test_colors_are_counted_over_the_whole_picture():
    image = QtGui.QImage(640, 480, QtGui.QImage.Format.Format_RGB32)
    image.fill(0xFF336699)
    assert count_colors(image) == 1
    for x in range(640):
        for y in range(240, 480):
            image.setPixel(x, y, 0xFF000000 + 256 * (x // 64))
    assert count_colors(image) == 11
    assert count_colors(QtGui.QImage()) == 0
