"""Benchmark of a bundle on this machine: numpy and the interpreter, never TensorFlow."""
