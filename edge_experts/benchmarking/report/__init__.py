"""Reports of a benchmark: text, CSV, HTML page, and comparison with another result."""
