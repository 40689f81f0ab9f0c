"""The Methods panel: several methods on the same images, side by side."""
