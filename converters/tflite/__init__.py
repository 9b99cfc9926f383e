"""Conversion of one Keras network to the bytes of a TFLite file."""
