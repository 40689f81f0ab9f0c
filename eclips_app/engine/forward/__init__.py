"""The forward model: heights to segment signals, with derivatives."""
