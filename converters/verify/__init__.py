"""Verification: the bundle on its interpreter, beside Keras."""
