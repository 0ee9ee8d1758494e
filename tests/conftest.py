"""For every test: a browser that starts only when asked for, and no clock in property tests."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.gallery.browsing"]

# A deadline would make slow machines fail.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
