"""Version of the distribution, importable from every layer."""

VERSION = "0.2.0"
