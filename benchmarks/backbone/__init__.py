"""One pretrained network under many heads: memory, latency, accuracy and growth."""
