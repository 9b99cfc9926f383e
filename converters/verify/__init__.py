"""Verification of a bundle on its interpreter, compared with Keras."""
