"""One Keras network to the bytes of a TFLite file."""
