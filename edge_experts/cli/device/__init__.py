"""Commands of a board: run, evaluate, benchmark, install, serve."""
