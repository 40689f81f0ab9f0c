"""The height map that explains the segment images best: Gauss-Newton on the exact forward model."""
