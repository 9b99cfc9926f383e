"""Synthesized speech: words to train and test on, and recordings to listen to."""
