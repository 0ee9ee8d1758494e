"""Which part of a vision transformer carries a cue: activation patching and its statistics."""
