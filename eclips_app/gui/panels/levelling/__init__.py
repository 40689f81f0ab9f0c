"""Levelling of reconstructions and height maps."""
