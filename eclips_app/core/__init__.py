"""What every room may import: units, errors, the detector description, parameters and the step registry.

Standard library and numpy alone; importing it is cheap in every process.
"""
