"""The detector: its dimensions, segments and what it can see."""
