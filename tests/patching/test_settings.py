from __future__ import annotations

from patching import settings
from patching.effects import metrics
from patching.interventions import corruptions, donors, selection


def test_the_choices_are_those_that_are_implemented() -> None:
    assert settings.METRICS == metrics.METRICS
    assert tuple(corruptions.FORMS.values()) == settings.CORRUPTIONS
    assert settings.ABLATIONS == donors.ABLATIONS
    assert settings.BY == selection.BY
    assert sorted(settings.SITES) == sorted(selection.SITES)
