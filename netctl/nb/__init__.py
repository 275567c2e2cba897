"""The words of the northbound database without a wire: rows, deltas, diff, schema features."""
