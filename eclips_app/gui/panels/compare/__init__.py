"""The compare panel: a height map from elsewhere registered on a reconstruction and compared with it."""
