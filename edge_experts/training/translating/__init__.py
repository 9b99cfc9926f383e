"""Module paths inside model.keras files that 0.1.0 saved."""
