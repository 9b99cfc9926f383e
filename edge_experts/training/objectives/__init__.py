"""Objectives of trainings whose inputs are routed once: losses, scores and outputs of a task."""
