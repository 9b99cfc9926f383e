"""Advice from a quick look at a data set: are sparse experts likely to pay?"""
