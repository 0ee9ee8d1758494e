from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gallery
from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from gallery.build.images import placeholder
from tests.gallery import results
from tests.gallery.build.test_build_cache import same_as_fresh
from tests.gallery.made_stores import picture, write_store
from tests.gallery.results import write_results
from tests.gallery.test_exporter import data, pixels, units

SOUND = [f"head:{i}" for i in range(4)]
DAMAGED = ["blocks.2.mlp.fc1:1", "blocks.2.mlp.fc1:5"]


def damage(folder: Path, address: str) -> None:
    """Change one byte of the picture of a unit."""
    image = picture(address, 0).tobytes()
    for path in (folder / "shards").iterdir():
        content = bytearray(path.read_bytes())
        place = content.find(image[:96])
        if place >= 0:
            content[place + 40] ^= 1
            path.chmod(0o644)
            path.write_bytes(content)
            return
    raise AssertionError(address)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_store(tmp_path / "a", SOUND)
    write_store(tmp_path / "a", DAMAGED)
    damage(tmp_path / "a", DAMAGED[1])
    return tmp_path / "a"


def test_units_of_a_damaged_shard_get_a_placeholder_and_all_others_their_pictures(
    store: Path, tmp_path: Path
) -> None:
    made = gallery.export([store], tmp_path / "site")
    assert made.units == 6
    for address, [[_, row, samples, best]] in units(tmp_path / "site").items():
        shown = pixels(tmp_path / f"site/data-1/1/pictures/{row}-0.webp")
        if address in DAMAGED:
            assert (samples, best) == (1, 0)
            assert np.abs(shown.astype(int) - placeholder()).max() < 12
        else:
            assert np.array_equal(shown, picture(address, 0))


def test_each_is_named_in_a_warning_and_among_the_failures(store: Path, tmp_path: Path) -> None:
    made = gallery.export([store], tmp_path / "site")
    assert [warning.split(": ")[0] for warning in made.warnings] == DAMAGED
    assert all("is damaged: its content is not what was written" in w for w in made.warnings)
    failures = data(tmp_path / "site", "1/model")["failures"]
    assert [failure[0] for failure in failures] == DAMAGED
    assert all(failure[1].startswith("its picture cannot be shown: ") for failure in failures)


def test_nothing_is_known_of_a_damaged_unit(store: Path, tmp_path: Path) -> None:
    gallery.export([store], tmp_path / "site")
    numbers = dict(zip(units(tmp_path / "site"), range(6), strict=True))
    columns = data(tmp_path / "site", "1/units")["metrics"]["activation"]
    rows = data(tmp_path / "site", "1/details/0")
    for address, number in numbers.items():
        assert (columns[number] is None) == (address in DAMAGED)
        others = [other for other, _ in rows[number][5]["picture"]]
        assert not {numbers[unit] for unit in DAMAGED} & set(others)
    _, size, activation, trajectory, *_ = rows[numbers[DAMAGED[0]]]
    assert (size, activation, trajectory) == ([96, 96], [None], [[]])


def test_once_it_is_repaired_the_next_export_shows_it(store: Path, tmp_path: Path) -> None:
    gallery.export([store], tmp_path / "site")
    write_store(tmp_path / "b", DAMAGED)
    made = gallery.export([tmp_path / "b", store], tmp_path / "site")
    assert (made.warnings, made.reused) == ((), 4)
    ((_, row, *_),) = units(tmp_path / "site")[DAMAGED[1]]
    shown = pixels(tmp_path / f"site/data-2/1/pictures/{row}-0.webp")
    assert np.array_equal(shown, picture(DAMAGED[1], 0))


def test_once_the_same_file_is_restored_nothing_of_the_placeholders_is_left(
    tmp_path: Path,
) -> None:
    write_store(tmp_path / "a", SOUND)
    write_store(tmp_path / "a", DAMAGED)
    shards = {path: path.read_bytes() for path in (tmp_path / "a/shards").iterdir()}
    damage(tmp_path / "a", DAMAGED[1])
    gallery.export([tmp_path / "a"], tmp_path / "site")
    for path, content in shards.items():
        path.chmod(0o644)
        path.write_bytes(content)
    made = gallery.export([tmp_path / "a"], tmp_path / "site")
    assert (made.warnings, made.reused) == ((), 4)
    assert same_as_fresh([tmp_path / "a"], tmp_path / "site")


def test_a_damaged_gallery_is_tried_again(store: Path, tmp_path: Path) -> None:
    one, other = (gallery.export([store], tmp_path / "site") for _ in range(2))
    assert one.warnings == other.warnings
    assert (tmp_path / "site/data-2").exists()


def test_a_damaged_row_of_a_packed_store_costs_no_other(tmp_path: Path) -> None:
    pack(write_store(tmp_path / "a", [*SOUND, *DAMAGED]), tmp_path / "a.h5")
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[content.find(picture(DAMAGED[0], 0).tobytes()) + 40] ^= 1
    (tmp_path / "a.h5").write_bytes(content)
    made = gallery.export([tmp_path / "a.h5"], tmp_path / "site")
    (warning,) = made.warnings
    assert warning.startswith(f"{DAMAGED[0]}: ")
    assert "is not what was written" in warning


def test_a_logit_of_three_sides_gets_a_placeholder_of_two(tmp_path: Path) -> None:
    columns = results.sides([results.LOGIT])
    columns["images"] = columns["images"][:, :, [0, 1, 0]]
    bad = write_results(tmp_path / "a", "sides", columns)
    made = gallery.export([bad, write_store(tmp_path / "b", SOUND)], tmp_path / "site")
    assert made.warnings == (
        f"{results.LOGIT}: {results.LOGIT} cannot be shown: it has 3 sides, not 2",
    )
    ((_, row, *_),) = units(tmp_path / "site")[results.LOGIT]
    for side in range(2):
        with Image.open(tmp_path / f"site/data-1/1/pictures/{row}-0-{side}.webp") as image:
            assert image.size == (96, 96)


def test_if_no_picture_at_all_can_be_shown_there_is_no_gallery(tmp_path: Path) -> None:
    write_store(tmp_path / "a", DAMAGED)
    damage(tmp_path / "a", DAMAGED[0])
    with pytest.raises(FeatvizError, match="is damaged"):
        gallery.export([Store(tmp_path / "a")], tmp_path / "site")
    assert not list((tmp_path / "site").glob("*.html"))
