"""Measuring on height maps, with numpy and scipy alone."""
