"""Experts with packed weights: sidecars beside installed bundles, and slots to read them into.

XNNPACK computes with a packed copy of the weights, which it makes whenever a model is opened. Here
the copy is made once, at `install`, and a missing expert is one read into the memory of another.
"""
