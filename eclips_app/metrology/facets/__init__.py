"""Plane facets of height maps: orientations on the sphere, segmentation, planes with covariance, angles between them."""
