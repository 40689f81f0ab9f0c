"""Monte Carlo ray tracer on triangulated surfaces: the independent reference of the fast renderer, overhangs included.

It shares nothing with the horizon and its tables: own surface (`mesh`), own visibility (`bvh`), own landing on the detector and
own sampling of the emission (`tracer`).
"""
