"""CORE: what the intents amount to, in words and sums that people think in."""
