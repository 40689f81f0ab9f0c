"""Networks that stand in for the exact forward model: learnt from it, measured against it."""
