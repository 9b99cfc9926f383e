"""Routers that are not learned with the experts, and a router with one more output."""
