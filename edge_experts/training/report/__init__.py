"""Report of a training: figures of the validation split, warnings and pictures."""
