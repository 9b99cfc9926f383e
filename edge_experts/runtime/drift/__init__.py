"""Drift: sequential tests of the answers against the validation answers in the manifest."""
