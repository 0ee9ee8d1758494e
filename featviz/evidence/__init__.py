"""Evidence beside every picture: numbers, verdicts, and how a model's pictures do as a whole."""
