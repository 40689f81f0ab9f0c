"""Surfaces in VTK, drawn off screen. No Qt."""
