"""What a damaged shard of another kind than pictures costs an export."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

import gallery
from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from gallery.stores.tolerant_store import DamagedRowError, TolerantStore
from tests.featviz.analysis.evidence.rows import VALIDATIONS, columns, failing, passing
from tests.gallery import results
from tests.gallery.build.test_build_cache import same_as_fresh
from tests.gallery.evidence import LOGIT, UNITS, write_evidence
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_everything, write_results
from tests.gallery.test_exporter import data, units
from tests.gallery.units.test_evidence_json import evidence_of, similar_of

SECTIONS = {
    "attention": "attention",
    "grids": "grids",
    "gradients": "gradients",
    "tokens": "tokens",
    "filters": "filters",
    "components": "filters",
    "positions": "filters",
    "cka": "compare",
    "matches": "compare",
    "figures": "traces",
}
EVIDENCE = (
    "examples",
    "example_images",
    "example_maps",
    "profiles",
    "scores",
    "paths",
    "validations",
)


def flip(path: Path) -> None:
    """Change the last byte."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def change(path: Path) -> None:
    """Change a byte in the middle of the largest column."""
    with h5py.File(path) as file:
        (group,) = file.values()
        largest = max(group.values(), key=lambda each: each.nbytes)
        place = largest.id.get_offset() or largest.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Lose the second half."""
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage(store: Path, kind: str, how: Callable[[Path], None] = flip) -> Path:
    """Damage one of the shards of a kind; return it."""
    path = min((store / "shards").glob(f"{kind}-*.h5"))
    how(path)
    return path


def export_damaged(store: Path, kind: str, how: Callable[[Path], None], folder: Path) -> Path:
    """Export a copy of a store that is damaged in one kind, which costs a line; return the site."""
    shutil.copytree(store, folder / "a")
    shard = damage(folder / "a", kind, how)
    (warning,) = gallery.export([folder / "a"], folder / "site").warnings
    assert warning.startswith(kind)
    assert f"{shard} is damaged: " in warning
    return folder / "site"


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_everything(tmp_path_factory.mktemp("kinds") / "s", UNITS[:2]).path


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_evidence(tmp_path_factory.mktemp("kinds") / "s").path


@pytest.fixture(scope="module")
def sound(everything: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds") / "site"
    gallery.export([everything], folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "how"), [*((kind, change) for kind in SECTIONS), ("grids", cut), ("cka", cut)]
)
def test_a_damaged_kind_costs_a_line_and_no_other_kind(
    kind: str, how: Callable[[Path], None], everything: Path, sound: Path, tmp_path: Path
) -> None:
    site = export_damaged(everything, kind, how, tmp_path)
    assert units(site) == units(sound)
    of_sound, of_damaged = (dict(data(each, "1/model")["sections"]) for each in (sound, site))
    for section in set(SECTIONS.values()) - {SECTIONS[kind]}:
        assert of_damaged[section] == of_sound[section]
    rest = {name for name, section in SECTIONS.items() if section == SECTIONS[kind]} - {kind}
    assert (SECTIONS[kind] in of_damaged) == bool(rest)
    for name in rest:
        blocks = data(site, f"1/sections/{SECTIONS[kind]}")
        assert blocks[kind] == []
        assert blocks[name]


@pytest.mark.parametrize(
    ("kind", "how"), [*((kind, change) for kind in EVIDENCE), ("examples", cut), ("scores", cut)]
)
def test_damaged_evidence_of_one_kind_leaves_that_of_the_others(
    kind: str, how: Callable[[Path], None], evidence: Path, tmp_path: Path
) -> None:
    site = export_damaged(evidence, kind, how, tmp_path)
    found = evidence_of(site, UNITS[0])
    known = {
        "examples": found["examples"] is not None,
        "example_images": (site / "data-1/1/examples/8.webp").exists(),
        # Without examples, there is nothing to lay a map on.
        "example_maps": found["examples"] is None or found["examples"]["map"] is not None,
        "profiles": similar_of(site, UNITS[0])["correlation"] is not None,
        "scores": found["agreement"] is not None,
        "paths": found["route"] is not None,
        "validations": found["verdict"] is not None,
    }
    assert known == {name: name != kind for name in EVIDENCE}
    # Images are of no class that could be read, and their numbers are known all the same.
    if kind == "example_images":
        assert found["examples"]["top"][0][:3] == [8, 4, None]


def test_the_rows_of_a_kind_that_are_not_damaged_are_shown(tmp_path: Path) -> None:
    for head in results.HEADS:
        store = write_results(tmp_path / "a", "attention", results.attention([head]))
    damage(tmp_path / "a", "attention", change)
    made = gallery.export([store], tmp_path / "site")
    (warning,) = made.warnings
    ((name, count),) = data(tmp_path / "site", "1/model")["sections"]
    assert (name, count) == ("attention", len(results.HEADS) - 1)
    blocks = data(tmp_path / "site", "1/sections/attention")["attention"]
    shown = [row[0] for _, rows in blocks[0]["sites"] for row in rows]
    (lost,) = set(results.HEADS) - set(shown)
    assert warning.startswith(f"attention of {lost}: ")


def test_a_row_that_cannot_be_drawn_costs_a_line_and_no_other_row(tmp_path: Path) -> None:
    bad = results.matches([UNITS[0]], [UNITS[1]])
    bad["images"] = bad["images"][:, [0, 1, 0]]
    bad["activation"] = bad["activation"][:, [0, 1, 0]]
    write_results(tmp_path / "a", "matches", bad)
    store = write_results(tmp_path / "a", "matches", results.matches([UNITS[2]], [UNITS[3]]))
    made = gallery.export([store], tmp_path / "site")
    assert made.warnings == (
        f"matches of {UNITS[0]}: {UNITS[0]} cannot be shown: it has 3 sides, not 2",
    )
    assert data(tmp_path / "site", "1/model")["sections"] == [["compare", 1]]


def test_a_section_that_cannot_be_arranged_costs_a_line(tmp_path: Path) -> None:
    write_store(tmp_path / "a", UNITS)
    maps = results.positions([f"pos_embed:{i}" for i in range(results.PATCHES)])["similarity"]
    more = {"address": [f"pos_embed:{i}" for i in range(17)], "similarity": maps[[*range(16), 0]]}
    store = write_results(tmp_path / "a", "positions", more)
    made = gallery.export([store], tmp_path / "site")
    assert made.warnings == ("filters: pos_embed:0 cannot be shown: 17 maps of 4 x 4",)
    assert data(tmp_path / "site", "1/model")["sections"] == []
    assert made.units == len(UNITS)


def test_damaged_failures_cost_a_line(tmp_path: Path) -> None:
    store = write_store(tmp_path / "a", UNITS[:2], failures={UNITS[2]: "NaN"}).path
    damage(store, "failures", change)
    made = gallery.export([store], tmp_path / "site")
    (warning,) = made.warnings
    assert warning.startswith("failures")
    assert (made.units, data(tmp_path / "site", "1/model")["failures"]) == (2, [])


def test_a_damaged_row_of_scores_in_a_pack_costs_its_unit_the_scores_alone(
    evidence: Path, tmp_path: Path
) -> None:
    pack(Store(evidence), tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        assert file["scores/address"][0].decode() == UNITS[0]
        file["scores/fine"][0] = 0.75
    made = gallery.export([tmp_path / "a.h5"], tmp_path / "site")
    (warning,) = made.warnings
    assert warning.startswith(f"scores of {UNITS[0]}: ")
    pages = [evidence_of(tmp_path / "site", unit) for unit in UNITS[:3]]
    assert [page["agreement"] is None for page in pages] == [True, False, False]
    assert all(page["examples"] and page["verdict"] for page in pages)


@pytest.mark.parametrize("how", [flip, change, cut])
def test_a_verdict_that_cannot_be_read_is_left_out_of_those_that_can(
    how: Callable[[Path], None], tmp_path: Path
) -> None:
    write_store(tmp_path / "a", UNITS)
    for row in (passing(UNITS[0]), failing(UNITS[1])):
        write_results(tmp_path / "a", "validations", columns([row]), VALIDATIONS)
    shard = TolerantStore(tmp_path / "a").keys("validations")[UNITS[1]].partition(":")[0]
    how(tmp_path / "a/shards" / shard)
    made = gallery.export([tmp_path / "a"], tmp_path / "site")
    (warning,) = made.warnings
    assert warning.startswith("validations")
    assert f"{shard} is damaged: " in warning
    verdicts = [evidence_of(tmp_path / "site", unit)["verdict"] for unit in UNITS[:2]]
    assert verdicts[0]["claims"]["necessary"]["holds"]
    assert verdicts[1] is None


def test_evidence_of_a_picture_damaged_since_is_left_out_with_a_warning(
    evidence: Path, tmp_path: Path
) -> None:
    shutil.copytree(evidence, tmp_path / "a")
    gallery.export([tmp_path / "a"], tmp_path / "site")
    write_store(tmp_path / "a", ["head:1"])  # so that there is something to export
    shard = TolerantStore(tmp_path / "a").keys()[UNITS[0]].partition(":")[0]
    change(tmp_path / "a/shards" / shard)
    made = gallery.export([tmp_path / "a"], tmp_path / "site")
    assert [warning.partition(": ")[0] for warning in made.warnings] == [
        f"evidence of {unit}" for unit in UNITS
    ]
    assert evidence_of(tmp_path / "site", UNITS[0]) is None
    assert evidence_of(tmp_path / "site", LOGIT) is not None


def test_once_it_is_restored_the_next_export_is_what_a_fresh_one_is(
    evidence: Path, everything: Path, tmp_path: Path
) -> None:
    for name, store in (("a", evidence), ("b", everything)):
        shutil.copytree(store, tmp_path / name)
    damaged = [damage(tmp_path / "a", kind) for kind in EVIDENCE]
    damaged += [damage(tmp_path / "b", kind) for kind in SECTIONS]
    stores = [tmp_path / "a", tmp_path / "b"]
    # Maps are read only with the examples that they belong to.
    assert len(gallery.export(stores, tmp_path / "site").warnings) == len(damaged) - 1
    for path in damaged:
        flip(path)
    assert gallery.export(stores, tmp_path / "site").warnings == ()
    assert same_as_fresh(stores, tmp_path / "site")


def test_of_a_store_with_a_shard_cut_short_the_pictures_in_the_others_are_shown(
    tmp_path: Path,
) -> None:
    write_store(tmp_path / "a", UNITS[:2])
    write_store(tmp_path / "a", UNITS[2:])
    shard = damage(tmp_path / "a", "renders", cut)
    made = gallery.export([tmp_path / "a"], tmp_path / "site")
    (warning,) = made.warnings
    assert warning.startswith(f"renders: {shard} is damaged: ")
    assert tuple(units(tmp_path / "site")) in {UNITS[:2], UNITS[2:]}


def test_if_nothing_at_all_can_be_shown_the_damage_is_the_error(tmp_path: Path) -> None:
    store = write_results(tmp_path / "a", "attention", results.attention(results.HEADS))
    shard = damage(tmp_path / "a", "attention")
    with pytest.raises(FeatvizError, match=rf"{shard.name} is damaged"):
        gallery.export([store], tmp_path / "site")


def test_a_lost_row_is_not_listed_and_one_that_never_was_is_an_error_as_ever(
    everything: Path, tmp_path: Path
) -> None:
    shutil.copytree(everything, tmp_path / "a")
    damage(tmp_path / "a", "grids", change)
    store = TolerantStore(tmp_path / "a")
    first = Store(tmp_path / "a").addresses("grids")[0]
    with pytest.raises(DamagedRowError, match="is damaged"):
        store.row(first, "grids")
    assert not store.addresses("grids")
    assert not list(store.rows("grids"))
    with pytest.raises(FeatvizError, match="has no nothing in grids") as caught:
        store.row("nothing", "grids")
    assert not isinstance(caught.value, DamagedRowError)
