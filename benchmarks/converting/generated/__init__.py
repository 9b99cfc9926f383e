"""Networks of every kind, drawn at random, converted and asked beside Keras: see `__main__.py`."""
