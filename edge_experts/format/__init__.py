"""Everything on disk: manifest, archive, limits, and reads that are checked."""
