"""The check panel: what a reconstruction explains of its images, and its cycle."""
