"""Registration of height maps: where a map of an AFM lies on a reconstruction, with its covariance and a verdict.

`register.register_map` finds it; the step ``register-map`` calls that. A pose is told in nm between the frames of the image and
of the map, each with its origin in the middle of the array, x right and y up; `metrology.placement` turns it into pixels.
"""
