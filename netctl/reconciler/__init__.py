"""The loop's step: make the northbound database equal to the intents, and say of each intent whether it is in the network."""
