"""Floor 2: who may have the data, and how consent is asked for and remembered."""
