"""The panel "Facets"."""
