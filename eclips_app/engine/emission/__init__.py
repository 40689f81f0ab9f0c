"""Emission of backscattered electrons: how many leave a surface in which direction, with what energy and how far away."""
