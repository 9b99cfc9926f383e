"""One run in every recipe, side by side on every interpreter that is installed."""
