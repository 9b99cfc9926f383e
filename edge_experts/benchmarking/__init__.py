"""Measure a bundle on the machine that it is on: numpy and the interpreter, never TensorFlow."""
