"""Anomaly detection by experts of regimes, by one autoencoder, and by distances."""
