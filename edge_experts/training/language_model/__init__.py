"""Language models: decoder-only transformers whose feed-forward layers are routed experts."""
