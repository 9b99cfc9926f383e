"""Targets: what is wanted of examples, by the type of task."""
