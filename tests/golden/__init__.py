"""What version 0.1 made, and tests that hold later versions to it."""
