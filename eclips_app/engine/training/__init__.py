"""Training workshop: specimens, exact labels, optimiser, training loop, and weights with their model card."""
