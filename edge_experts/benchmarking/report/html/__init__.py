"""A benchmark as one page that loads nothing: made from its JSON, on a board or elsewhere."""
