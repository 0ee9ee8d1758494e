"""Fixtures and settings of all tests: browsers, and property tests without a deadline."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.gallery.browsing"]

# With a deadline, property tests fail on slow machines.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
