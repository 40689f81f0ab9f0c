"""ECLIPS: metrological 3D surfaces from one scan of a segmented backscattered-electron detector."""

from eclips_app.version import VERSION as __version__

__all__ = ["__version__"]
