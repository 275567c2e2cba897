"""Snapshot to rows: one file per kind of intent, all pure. `compile.py` is the way in."""
