"""What the user does from start to end: open, save, reconstruct, export. Each flow registers its commands."""
