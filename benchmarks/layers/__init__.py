"""Every Keras layer, and ways to join them, as experts, as routers and adopted; see `matrix`."""
