"""Electron optics of the detector: electrostatic field, trajectories, landing on the detector, coverage of directions.

`field` solves the axisymmetric Laplace problem, `trajectories` flies electrons through it, `flight` tells where they land,
`coverage` turns that into the valid solid angle `T_k(t, f)` with exact derivatives, and `cache` keeps results on disk.
"""
