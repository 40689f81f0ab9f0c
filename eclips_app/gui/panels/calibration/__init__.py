"""The calibration panel: from images of known objects to a calibrated detector."""
