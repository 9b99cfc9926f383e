"""Random networks of every kind, converted and compared with Keras; see `outcomes.py`."""
