"""Results of a benchmark as text, as CSV, as a page, and beside another result."""
