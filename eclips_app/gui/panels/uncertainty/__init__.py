"""Why a pixel is uncertain."""
