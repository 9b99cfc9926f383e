"""Memory of the models: residency, budget, quarantine, prefetching, measured costs."""
