"""Child processes that convert, their cache, and their error messages."""
