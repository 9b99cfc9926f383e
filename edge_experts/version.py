"""Version of the distribution, importable from every layer."""

VERSION = "0.1.0"
