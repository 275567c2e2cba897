"""The host agent: makes one host's taps, bridges and bonds equal to what the controller assigned to it."""
