"""Bundle files: manifest, archive, limits, and checked reads."""
