"""Calibration of detectors on objects of known shape."""
