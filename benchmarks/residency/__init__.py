"""Models larger than memory: speed under a limit, beside llama.cpp on the same weights."""
