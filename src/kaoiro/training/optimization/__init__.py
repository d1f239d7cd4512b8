"""The optimiser, its schedule, and what they act on."""
