"""Frames over time: step, play, and follow a reading."""
