"""The loop's step: the northbound database made equal to the intents, and each intent's status."""
