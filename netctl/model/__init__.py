"""The nouns of the intent language: frozen values that check their own shape, and the snapshot that holds them."""
