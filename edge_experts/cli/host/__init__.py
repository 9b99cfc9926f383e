"""Commands of the workstation: train, convert, compare, deploy."""
