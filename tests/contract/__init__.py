"""The contract: our document against the official facts, and every answer against our document."""
