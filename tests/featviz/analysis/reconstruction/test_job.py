from __future__ import annotations

from pathlib import Path

import pytest

from featviz import FeatvizError
from featviz.analysis.reconstruction import job
from featviz.analysis.reconstruction.job import quality_to_store
from featviz.analysis.reconstruction.quality import measure_quality
from tests.featviz.toy_dictionary import dataset, toy_dictionary


def test_a_stored_quality_is_the_measured_one_and_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = toy_dictionary()
    data = dataset(toy.images(6)[0])
    measured = measure_quality(toy.model, toy.sae, data)
    assert quality_to_store(toy.model, toy.sae, data, tmp_path / "s") == measured
    monkeypatch.setattr(job, "measure_quality", None)
    assert quality_to_store(toy.model, toy.sae, data, tmp_path / "s") == measured
    with pytest.raises(FeatvizError, match="choose another -o"):
        quality_to_store(toy.model, toy.sae, data, tmp_path / "s", images=3)
