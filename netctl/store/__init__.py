"""Intents at rest and the change log. SQLite is the only store today; `records.Store` is what any store offers."""
