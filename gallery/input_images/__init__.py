"""A reader's own images on a model's page: which units respond to them, and where."""
