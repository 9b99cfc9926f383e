"""Objectives of tasks with one routing per input: losses, scores and outputs."""
