"""Child processes that convert, their cache, and their failures in words."""
