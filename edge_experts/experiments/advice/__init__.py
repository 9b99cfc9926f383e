"""Advice: a quick look at a data set, and whether sparse experts are likely to pay."""
