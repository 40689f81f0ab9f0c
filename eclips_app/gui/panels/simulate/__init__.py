"""A virtual microscope: how a detector sees a known surface, live, and what each pixel sees of the detector."""
