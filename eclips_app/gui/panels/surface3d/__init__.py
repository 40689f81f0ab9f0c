"""The surface in three dimensions."""
