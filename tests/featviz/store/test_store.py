from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import featviz.store.writer
from featviz._util import files
from featviz.errors import FeatvizError
from featviz.store.packing import pack
from featviz.store.reader import Store
from tests.featviz.store.made_stores import (
    BATCHES,
    CONFIGURATION,
    FAILED,
    FINGERPRINT,
    SITES,
    finish,
    is_right,
    litter,
    renders,
    shards,
    whole_store,
    writer,
)

ROOT = Path(__file__).parents[3]
IN_ORDER = [
    "patch_embed:3",
    "blocks.0.mlp.fc1:1@12",
    "blocks.0.mlp.fc1:1@cls",
    "blocks.2.mlp.fc1:9",
    "blocks.2.mlp.fc1:10",
    "blocks.10.mlp.fc1:0",
]
# Every text that HDF5 can hold as a name: no NUL, no half of a surrogate pair.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def test_every_row_comes_back_bit_for_bit_in_the_order_of_addresses(tmp_path: Path) -> None:
    rows = list(whole_store(tmp_path / "store").rows())
    assert [row["address"] for row in rows] == IN_ORDER
    assert all(is_right(row) for row in rows)


def test_a_row_is_found_by_its_address_and_a_wrong_one_names_the_nearest(tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    assert all(is_right(store.row(address)) for address in IN_ORDER)
    assert len(store) == 6
    assert IN_ORDER[0] in store
    assert "head:0" not in store
    with pytest.raises(FeatvizError, match=r"has no patch_embed:4 in renders; did you mean pat"):
        store.row("patch_embed:4")


@given(order=st.lists(st.integers(0, 199), min_size=1, max_size=40), step=st.integers(1, 70))
def test_single_rows_are_the_same_in_any_order(
    alternating: Store, order: list[int], step: int
) -> None:
    for index in [*order, *range(0, 200, step), *order]:
        row = alternating.row(f"a:{index}", "numbers")
        assert (row["address"], row["value"].item()) == (f"a:{index}", index)


@pytest.fixture(scope="module")
def alternating(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two hundred rows, the even ones in one shard and the odd ones in another."""
    path = tmp_path_factory.mktemp("alternating")
    job = writer(path, kind="numbers", configuration={})
    for first in (0, 1):
        indices = np.arange(first, 200, 2)
        job.add({"address": [f"a:{index}" for index in indices], "value": indices})
    found = Store(path)
    assert [row["value"].item() for row in found.rows("numbers")] == list(range(200))
    return found


def test_properties_of_the_model_are_read_back(tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    assert (store.path, store.model) == (tmp_path / "store", "cueworld/vit")
    assert (store.fingerprint, store.sites) == (FINGERPRINT, SITES)
    assert store.load == {"untrained": False, "arch": None}
    assert store.configuration == {"renders": CONFIGURATION}
    assert store.kinds == ("failures", "renders")


def test_info_counts_units_pictures_and_bytes_in_what_json_has(tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    info = json.loads(json.dumps(store.info()))
    assert info["rows"] == {"failures": 2, "renders": 6}
    assert (info["units"], info["pictures"], info["picture_size"]) == (6, 12, [5, 7])
    assert info["bytes"] == sum(f.stat().st_size for f in store.path.rglob("*") if f.is_file())
    assert info["failures"] == {"head:0": "head:0 blew up", "head:1": "head:1 blew up"}
    assert info["model"] == "cueworld/vit"


def test_a_store_without_shards_is_empty_and_valid(tmp_path: Path) -> None:
    writer(tmp_path / "store")
    store = Store(tmp_path / "store")
    assert (len(store), store.kinds, store.failures, store.verify()) == (0, (), {}, [])
    assert store.info()["picture_size"] is None


def test_a_failure_is_forgotten_once_the_unit_is_rendered(tmp_path: Path) -> None:
    path = tmp_path / "store"
    whole_store(path)
    writer(path).add(renders(FAILED[:1]))
    assert Store(path).failures == {FAILED[1]: f"{FAILED[1]} blew up"}
    assert set(Store(path).addresses("failures")) == set(FAILED)


def test_of_an_address_in_two_shards_the_first_by_name_counts(tmp_path: Path) -> None:
    store = writer(tmp_path / "store")
    for value in (1, 2, 3):
        store.add(renders(["head:1"]) | {"activation": np.full((1, 2), value, np.float32)})
    first = shards(store.path)[0]
    with h5py.File(first) as file:
        expected = file["renders/activation"][0]
    assert Store(store.path).addresses() == ["head:1"]
    assert np.array_equal(Store(store.path).row("head:1")["activation"], expected)


UNITS = st.tuples(
    st.integers(0, len(SITES) - 1), st.integers(0, 999), st.integers(0, 99), st.integers(0, 99)
)


@settings(deadline=None, max_examples=25)
@given(st.lists(UNITS, min_size=1, max_size=30, unique=True), st.randoms(use_true_random=False))
def test_addresses_are_ordered_by_site_then_by_their_numbers(
    tmp_path_factory: pytest.TempPathFactory, units: list[tuple[int, ...]], random: Any
) -> None:
    def text(unit: tuple[int, ...]) -> str:
        return f"{SITES[unit[0]]}:{unit[1]}@q{unit[2]}.k{unit[3]}"

    shuffled = random.sample(units, len(units))
    store = writer(tmp_path_factory.mktemp("order"))
    store.add(renders([text(unit) for unit in shuffled]))
    assert Store(store.path).addresses() == [text(unit) for unit in sorted(units)]


def test_addresses_of_sites_that_the_store_does_not_list_come_last(tmp_path: Path) -> None:
    store = writer(tmp_path / "store")
    store.add(renders(["zeta:1", "alpha:20", "alpha:3", "head:0"]))
    assert Store(store.path).addresses() == ["head:0", "alpha:3", "alpha:20", "zeta:1"]


@settings(deadline=None, max_examples=40)
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True))
def test_addresses_of_any_unicode_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, addresses: list[str]
) -> None:
    store = writer(tmp_path_factory.mktemp("unicode"))
    store.add(renders(addresses))
    read = Store(store.path)
    assert set(read.addresses()) == set(addresses)
    assert all(is_right(read.row(address)) for address in addresses)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(st.characters()), min_size=1, max_size=5))
def test_any_error_text_is_kept_and_only_what_hdf5_cannot_hold_is_spelt_out(
    tmp_path_factory: pytest.TempPathFactory, errors: list[str]
) -> None:
    store = writer(tmp_path_factory.mktemp("errors"))
    addresses = [f"head:{number}" for number in range(len(errors))]
    store.add({"address": addresses, "error": errors}, kind="failures")
    spelt = [
        "".join(
            f"\\u{ord(c):04x}" if 0xD800 <= ord(c) < 0xE000 else "\\x00" if c == "\0" else c
            for c in error
        )
        for error in errors
    ]
    assert Store(store.path).failures == dict(zip(addresses, spelt, strict=True))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"address": ["head:0", "head:0"]}, "twice"),
        ({"address": ["head:0", ""]}, "none of them empty"),
        ({"address": ["head:0", "a\0b"]}, "NUL"),
        ({"address": ["head:0", "\udc80"]}, "surrogates"),
        ({"address": ["head:0"]}, "2 rows, but there are 1"),
        ({"images": np.zeros((2, 2, 5, 7, 4), np.uint8)}, "images is"),
        ({"images": np.zeros((2, 3, 5, 7, 3), np.uint8)}, "is <f4|images is"),
        ({"activation": np.zeros((2, 2), np.float64)}, "activation is <f8"),
        ({"activation": np.full((2, 2), np.nan, np.float32)}, "activation of head:0 is not finite"),
        ({"digest": ["a", "b"]}, "reserved"),
    ],
)
def test_columns_that_are_not_of_the_kind_are_refused_and_leave_nothing(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    store = writer(tmp_path / "store")
    with pytest.raises(ValueError, match=reason):
        store.add(renders(["head:0", "head:1"]) | change)
    assert list((store.path / "shards").iterdir()) == []


def test_a_kind_unknown_today_is_stored_read_and_verified(tmp_path: Path) -> None:
    store = writer(tmp_path / "store", kind="notes", configuration={"window": 3})
    effects = np.arange(6, dtype=np.float64).reshape(2, 3)
    store.add({"address": ["a:1", "a:0"], "effect": effects, "note": ["é", ""]})
    read = Store(store.path)
    assert read.kinds == ("notes",)
    assert [row["note"] for row in read.rows("notes")] == ["", "é"]
    assert np.array_equal(read.row("a:1", "notes")["effect"], [0, 1, 2])
    assert read.verify() == []


def test_a_shard_is_named_after_the_digest_of_its_bytes(tmp_path: Path) -> None:
    for path in shards(whole_store(tmp_path / "store").path):
        assert path.stem == f"renders-{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}"


def test_a_shard_has_the_documented_layout(tmp_path: Path) -> None:
    store = writer(tmp_path / "store")
    store.add(renders(BATCHES[0]))
    canonical = json.dumps(
        {"configuration": CONFIGURATION, "fingerprint": FINGERPRINT, "format_version": 1},
        sort_keys=True,
        separators=(",", ":"),
    )
    with h5py.File(shards(store.path)[0]) as file:
        assert file.attrs["format-version"] == 1
        assert file.attrs["model"] == b"cueworld/vit"
        assert file.attrs["fingerprint"] == FINGERPRINT.encode()
        assert (
            file.attrs["configuration"].decode() == hashlib.sha256(canonical.encode()).hexdigest()
        )
        group = file["renders"]
        assert group.attrs["encoding-type"] == b"featviz-renders"
        assert group.attrs["encoding-version"] == b"1"
        assert group["address"].asstr()[:].tolist() == list(BATCHES[0])
        assert group["address"].dtype.kind == "S"
        assert group["images"].chunks == (1, 1, 5, 7, 3)
        assert group["images"].compression is None
        assert {name: (data.dtype.str, data.shape) for name, data in group.items()} == {
            "address": ("|S19", (2,)),
            "images": ("|u1", (2, 2, 5, 7, 3)),
            "activation": ("<f4", (2, 2)),
            "trajectory": ("<f4", (2, 2, 4)),
        }


def test_running_again_finds_every_address_done_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store"
    whole_store(path)
    before = {file: file.stat() for file in path.rglob("*")}
    assert writer(path).done == set(IN_ORDER)
    list(finish(path))
    after = {file: file.stat() for file in path.rglob("*.h5") if "renders" in file.name}
    assert all(
        (before[file].st_ino, before[file].st_mtime_ns) == (s.st_ino, s.st_mtime_ns)
        for file, s in after.items()
    )
    assert {file: s.st_size for file, s in before.items()} == {
        file: file.stat().st_size for file in path.rglob("*")
    }


def test_equal_rows_written_twice_make_one_shard(tmp_path: Path) -> None:
    store = writer(tmp_path / "store")
    store.add(renders(BATCHES[0]))
    store.add(renders(BATCHES[0]))
    assert len(shards(store.path)) == 1


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"configuration": CONFIGURATION | {"steps": 8}},
            "has renders of another configuration: steps is 4 there and 8 here; "
            "choose another -o, or set it aside with --force",
        ),
        (
            {"configuration": CONFIGURATION | {"param": {"name": "pixel", "decay": 1}}},
            'param.name is "fourier" there and "pixel" here',
        ),
        ({"configuration": CONFIGURATION | {"seed": 1}}, "seed is absent there and 1 here"),
        (
            {"model": "cueworld/mixer", "fingerprint": "00"},
            'is of another model: model is "cueworld/vit" there and "cueworld/mixer" here, '
            f'fingerprint is "{FINGERPRINT}" there and "00" here',
        ),
    ],
)
def test_a_store_of_another_job_is_refused_with_what_differs(
    tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    path = tmp_path / "store"
    whole_store(path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(FeatvizError) as raised:
        writer(path, **change)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)
    assert before == {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_force_sets_stores_of_other_jobs_aside_and_deletes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store"
    for steps in (1, 2, 3):
        whole_store(path, configuration=CONFIGURATION | {"steps": steps}, force=True)
    kept = {"store": 3, "store.1": 1, "store.2": 2}
    assert {each.name for each in tmp_path.iterdir()} == kept.keys()
    for name, steps in kept.items():
        store = Store(tmp_path / name)
        assert store.configuration["renders"]["steps"] == steps
        assert store.addresses() == IN_ORDER
        assert store.verify() == []


def test_force_changes_nothing_where_nothing_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "store"
    whole_store(path)
    assert writer(path, force=True).done == set(IN_ORDER)
    assert [each.name for each in tmp_path.iterdir()] == ["store"]
    assert litter(path) == []


@pytest.mark.parametrize("name", [".DS_Store", "._letters", "Thumbs.db", "desktop.ini"])
def test_a_folder_with_only_a_file_of_the_system_becomes_a_store(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / name).write_text("icons")
    writer(folder)
    assert (folder / name).read_text() == "icons"
    assert Store(folder).manifest.model


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, force: bool) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "to_mother.txt").write_text("dear")
    with pytest.raises(FeatvizError, match=r"is not a featviz store and contains to_mother\.txt"):
        writer(folder, force=force)
    (folder / "store.json").write_text('{"shop": "of another program"}')
    with pytest.raises(FeatvizError, match=r"store\.json is damaged: it has no format_version"):
        writer(folder, force=force)
    with pytest.raises(FeatvizError, match=r"to_mother\.txt is not a folder; choose another -o"):
        writer(folder / "to_mother.txt", force=force)
    assert sorted(each.name for each in folder.iterdir()) == ["store.json", "to_mother.txt"]
    assert [each.name for each in tmp_path.iterdir()] == ["letters"]


def test_two_kinds_share_a_store_and_each_resumes(tmp_path: Path) -> None:
    path = tmp_path / "store"
    whole_store(path)
    other = writer(path, kind="notes", configuration={"classes": True})
    other.add({"address": ["patch_embed:0"], "text": ["low frequency"]})
    assert Store(path).configuration == {"renders": CONFIGURATION, "notes": {"classes": True}}
    assert writer(path, kind="notes", configuration={"classes": True}).done == {"patch_embed:0"}
    assert writer(path).done == set(IN_ORDER)
    assert Store(path).verify() == []


@pytest.mark.parametrize(
    ("change", "kinds", "refused"),
    [
        ({"configuration": CONFIGURATION | {"steps": 8}}, {"renders"}, 1),
        ({"kind": "filters", "configuration": {"a": 1}}, {"renders", "filters"}, 0),
    ],
)
def test_of_two_first_jobs_at_once_none_overwrites_the_other(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    kinds: set[str],
    refused: int,
) -> None:
    path = tmp_path / "store"
    real = files.write
    both = threading.Barrier(2)

    def slow_write(target: Path, data: bytes) -> None:
        # While one writes the manifest, the other has all the time to write its own.
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        real(target, data)

    def job(changes: dict[str, Any]) -> str:
        try:
            opened = writer(path, **changes)
            if opened.kind == "renders":
                opened.add(renders(BATCHES[0]))
        except FeatvizError as error:
            return str(error)
        return ""

    monkeypatch.setattr(featviz.store.writer, "write", slow_write)
    with ThreadPoolExecutor(2) as pool:
        refusals = [line for line in pool.map(job, [{}, change]) if line]
    assert len(refusals) == refused
    # Depending on which of the two stores its row first.
    reasons = ("another job has replaced the configuration", "of another configuration")
    assert all(any(reason in line for reason in reasons) for line in refusals), refusals
    assert set(Store(path).configuration) == kinds
    assert Store(path).verify() == []


def test_a_configuration_without_a_row_is_replaced_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "store"
    changed = CONFIGURATION | {"steps": 8}
    first = writer(path)
    writer(path, configuration=changed).add(renders(BATCHES[0]))
    assert Store(path).configuration == {"renders": changed}
    with pytest.raises(
        FeatvizError, match=r"another job has replaced the configuration of renders in .*store"
    ):
        first.add(renders(BATCHES[1]))
    assert Store(path).verify() == []
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_a_model_without_a_row_is_replaced_and_one_with_a_row_of_any_kind_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store"
    other = {"model": "cueworld/mixer", "fingerprint": "00", "sites": ["head"]}
    writer(path)
    writer(path, **other, kind="notes", configuration={"a": 1}).add(
        {"address": ["head:0"], "text": ["low frequency"]}
    )
    manifest = Store(path).manifest
    assert (manifest.model, manifest.sites) == ("cueworld/mixer", ("head",))
    assert manifest.configuration == {"notes": {"a": 1}}
    with pytest.raises(FeatvizError, match="is of another model"):
        writer(path)


@pytest.mark.parametrize("kind", ["failures", "sites"])
def test_rows_that_go_with_a_replaced_configuration_are_set_aside(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "store"
    notes = writer(path, kind="notes", configuration={"a": 1})
    notes.add({"address": ["head:0"], "text": ["low frequency"]})
    text = {"error": ["blew up"]} if kind == "failures" else {"text": ["a site"]}
    notes.add({"address": ["head:7"], **text}, kind)
    first = writer(path)
    first.add({"address": ["head:1"], **text}, kind)
    writer(path, configuration=CONFIGURATION | {"steps": 8}).add(renders(BATCHES[0]))
    store = Store(path)
    assert store.addresses(kind) == ["head:7"]
    assert store.verify() == []
    assert [name.split("-")[0] for name in litter(path)] == [f"shards/{kind}"]
    assert all(name.endswith(".h5.replaced") for name in litter(path))


def test_a_configuration_without_a_row_binds_while_another_process_writes_to_the_store(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store"
    program = (
        "import pathlib, sys; from tests.featviz.store.made_stores import writer;"
        "store = writer(pathlib.Path(sys.argv[1])); print(flush=True); input()"
    )
    changed = CONFIGURATION | {"steps": 8}
    with subprocess.Popen(
        [sys.executable, "-c", program, path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        with pytest.raises(FeatvizError, match="steps is 4 there and 8 here"):
            writer(path, configuration=changed)
        assert writer(path).done == set()
        running.communicate(b"\n")
    writer(path, configuration=changed)
    assert Store(path).configuration == {"renders": changed}


def test_the_same_weights_under_another_name_are_the_same_model(tmp_path: Path) -> None:
    whole_store(tmp_path / "store")
    assert writer(tmp_path / "store", model="./weights.safetensors").done == set(IN_ORDER)


def test_a_lost_manifest_is_made_again_and_the_shards_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "store"
    whole_store(path)
    (path / "store.json").unlink()
    with pytest.raises(FeatvizError, match=r"is not a featviz store: it has no store\.json"):
        Store(path)
    assert writer(path).done == set(IN_ORDER)


def test_a_copied_or_read_only_store_reads_the_same(tmp_path: Path) -> None:
    whole_store(tmp_path / "store")
    copy = tmp_path / "elsewhere" / "cöpy"
    shutil.copytree(tmp_path / "store", copy)
    for each in [copy, *copy.rglob("*")]:
        each.chmod(each.stat().st_mode & ~0o222)
    store = Store(copy)
    assert all(is_right(row) for row in store.rows())
    assert store.addresses() == IN_ORDER
    assert store.verify() == []
    (copy / "shards").chmod(0o755)
    copy.chmod(0o755)


def test_hidden_files_among_shards_are_ignored(tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    shard = shards(store.path)[0]
    shard.with_name(f"._{shard.name}").write_bytes(b"macOS")
    assert Store(store.path).verify() == []
    assert len(Store(store.path)) == 6


def test_listing_addresses_reads_no_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = writer(tmp_path / "store")
    big = renders(["head:0"]) | {"images": np.zeros((1, 2, 500, 500, 3), np.uint8)}
    store.add(big)
    read = 0
    size = shards(store.path)[0].stat().st_size

    class Counting:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def __getattr__(self, name: str) -> Any:
            return getattr(self.stream, name)

        def __enter__(self) -> Counting:
            return self

        def __exit__(self, *_: object) -> None:
            self.stream.close()

        def readinto(self, buffer: Any) -> int:
            nonlocal read
            read += len(buffer)
            return int(self.stream.readinto(buffer))

    path_open = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode: Counting(path_open(path, mode)))
    assert Store(store.path).addresses() == ["head:0"]
    assert 0 < read < size / 100


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux tells what is open")
def test_rows_that_are_not_read_to_the_end_leave_no_file_open(tmp_path: Path) -> None:
    store = whole_store(tmp_path / "store")
    rows = store.rows()
    next(rows)
    del rows
    opened = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert not [each for each in opened if each.is_relative_to(store.path)]


def test_a_missing_store_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FeatvizError, match=r"there is no store .*nowhere"):
        Store(tmp_path / "nowhere")


def test_the_documented_ways_to_read_a_store_without_featviz_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "store-format.md").read_text()
    pack(whole_store(tmp_path / "STORE"), tmp_path / "FILE.h5")
    monkeypatch.chdir(tmp_path)
    folder, file = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(folder, "folder", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert {line.split(" ")[0] for line in printed} == set(IN_ORDER)
    exec(compile(file, "file", "exec"), {})
    assert capsys.readouterr().out.startswith("cueworld/vit (2, 5, 7, 3) [")
    (check,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    run = partial(subprocess.run, ["sh", "-c", check], capture_output=True, text=True, check=True)
    assert run().stdout == ""
    shards(tmp_path / "STORE")[0].write_bytes(b"")
    assert run().stdout == f"{shards(tmp_path / 'STORE')[0].name} is damaged\n"
