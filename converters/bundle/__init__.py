"""Bundle: files, golden examples, model card and manifest, and the base of an update."""
