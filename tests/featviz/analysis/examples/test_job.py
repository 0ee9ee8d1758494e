from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import featviz
from featviz.activations.readout import Readout
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.analysis.examples import image_writer, job, search
from featviz.analysis.examples.argmax_tokens import TokenLocator
from featviz.analysis.examples.images import read_image
from featviz.analysis.examples.job import examples, examples_to_store
from featviz.analysis.examples.result import Examples
from featviz.analysis.examples.statistics import BINS, QUANTILES
from featviz.data.datasets import Dataset, open_data
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store
from featviz.store.packing import pack
from featviz.store.reader import Store
from featviz.store.writer import set_aside_kind
from tests.cli.running import tree
from tests.featviz.analysis.examples.sources import all_images, noise
from tests.featviz.toys import toy_vit
from tests.oracles.examples import brute_force

SELECTORS = (
    "blocks.1.mlp.fc1:0-5",
    "patch_embed:1",
    "blocks.2.mlp.fc1:7@cls",
    "blocks.1.attn.qk:all@same",
    "blocks.2.attn.qk:0@q1.k3",
    "head:all",
    "head:0+-1~head:1",
)
ENDS = ("top", "bottom", "spread")
SEEDS = [5, 3, 8, 8, 1, 3, 9, 8, *range(20, 60), 5, 9]
"""Of 50 images, some of which are the same."""


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Once(nn.Module):
    """Three units of the mean color, one of which is its inverse: infinite where it is black."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]))

    def forward(self, images: Tensor) -> Tensor:
        color = images.mean((2, 3))
        color = torch.stack([color[:, 0], 1 / color[:, 1], color[:, 2]], 1)
        out: Tensor = self.fc(color)
        return out


def in_batches(read: Readout, images: Tensor, size: int) -> Tensor:
    """Read images so many at a time, the last batch filled up with its last image."""
    fill = images[-1:].expand(-len(images) % size, -1, -1, -1)
    return torch.cat([read(part) for part in torch.split(torch.cat([images, fill]), size)])[
        : len(images)
    ]


def check(found: list[Examples], values: Tensor, data: Dataset, numbers: list[int]) -> None:
    """Compare examples with all values, (images, units)."""
    labels = data.labels(numbers)
    for each, own in zip(found, values.mT.tolist(), strict=True):
        right = brute_force(own, labels, len(data.classes), 9, QUANTILES, BINS)
        for name in ENDS:
            there = [numbers[image] for image in right[name]]
            size = len(getattr(each, name))
            assert getattr(each, name).tolist() == there + [-1] * (size - len(there))
        scale = max(map(abs, own))
        for name in ("percentiles", "mean", "deviation", "classes"):
            np.testing.assert_allclose(
                getattr(each, name), right[name], rtol=1e-5, atol=1e-5 * scale
            )
        assert each.active == pytest.approx(right["active"])
        assert each.sparsity == pytest.approx(right["sparsity"], abs=1e-5, nan_ok=True)
        assert each.histogram.sum() == len(numbers)


@pytest.mark.parametrize("batch", [1, 7, 32, 64])
def test_examples_equal_a_brute_force_pass_for_any_batch_size(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of an image are ordered by their number."""
    monkeypatch.setattr(search, "BATCH", batch)
    model, data = toy_vit(), noise(SEEDS)
    chosen = units(model, *SELECTORS)
    found = examples(model, chosen, data)
    assert [each.address for each in found] == list(map(str, chosen))
    images, read = all_images(data, 32), featviz.readout(model, sorted(chosen, key=str))
    values = in_batches(read, images, batch)
    copied = values[[SEEDS.index(seed) for seed in SEEDS]]
    torch.testing.assert_close(copied, values, rtol=1e-5, atol=1e-6)
    order = [sorted(map(str, chosen)).index(str(unit)) for unit in chosen]
    check(found, copied[:, order], data, list(range(50)))
    for size in (1, 7, 64):
        values = in_batches(read, images, size)[:, order]
        for each, own in zip(found, values.mT.numpy(), strict=True):
            for name in ENDS:
                there, stored = getattr(each, name), getattr(each, f"{name}_values")
                np.testing.assert_allclose(stored, own[there], rtol=1e-5, atol=1e-6)


def test_copies_of_an_image_have_one_value_at_any_position_in_a_batch() -> None:
    model = toy_vit()
    copies = noise([4] * 45)
    for each in examples(model, units(model, *SELECTORS), copies):
        assert len(set(each.percentiles.tolist())) == 1
        assert each.top.tolist() == each.bottom.tolist() == list(range(9))


def test_tokens_of_the_examples_are_those_of_the_images_read_again() -> None:
    model, data = toy_vit(), noise(SEEDS)
    chosen = units(model, *SELECTORS)
    locate, images = TokenLocator(model, chosen), all_images(data, 32)
    for column, each in enumerate(examples(model, chosen, data)):
        for name in ENDS:
            wanted = np.array([(image, column) for image in getattr(each, name)])
            np.testing.assert_array_equal(getattr(each, f"{name}_tokens"), locate(images, wanted))


def test_results_depend_neither_on_the_order_of_the_units_nor_on_other_units() -> None:
    model, data = toy_vit(), noise(SEEDS)
    chosen = units(model, *SELECTORS)
    together = {each.address: each for each in examples(model, chosen, data)}
    turned = examples(model, [*chosen[::-1], chosen[0]], data)
    assert [each.address for each in turned] == list(map(str, chosen[::-1]))
    for each in turned:
        same(each, together[each.address], rtol=0)
    for unit in chosen[::4]:
        (alone,) = examples(model, [unit], data)
        same(alone, together[str(unit)], rtol=1e-5)


def same(one: Examples, other: Examples, rtol: float) -> None:
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray) and value.dtype == np.int32:
            np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)
        elif name != "address":
            np.testing.assert_allclose(value, getattr(other, name), rtol=rtol, atol=rtol)


def test_a_subset_of_a_dataset_keeps_the_indices_of_the_dataset() -> None:
    model, data = toy_vit(), noise(SEEDS)
    data._source.interleaved = False
    chosen = units(model, "blocks.1.mlp.fc1:0-3")
    numbers = data.indices(12)
    assert numbers[-1] == 45
    values = featviz.readout(model, chosen)(all_images(data, 32, 12))
    check(examples(model, chosen, data, count=12), values, data, numbers)


def test_a_dataset_with_fewer_images_than_top_leaves_entries_empty() -> None:
    model = toy_vit()
    (found,) = examples(model, units(model, "blocks.1.mlp.fc1:0"), noise([1, 2, 3], ()))
    assert found.top.tolist()[3:] == found.bottom.tolist()[3:] == [-1] * 6
    assert np.isnan(found.top_values[3:]).all()
    assert (found.top_tokens[3:] == -1).all()
    assert (found.top_tokens[:3, 0] >= 1).all()
    assert (found.classes.shape, found.top_classes) == ((0,), [])


def test_copies_of_a_file_are_ordered_by_index(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("ape/a", "ape/b", "bee/c", "bee/d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 32, 3), np.uint8)).save(tmp_path / f"{name}.png")
        for copy in range(6):
            (tmp_path / f"{name}{copy}.png").write_bytes((tmp_path / f"{name}.png").read_bytes())
    model, data = toy_vit(), open_data(f"folder:{tmp_path}")
    chosen = units(model, "blocks.1.mlp.fc1:0-3")
    found = examples(model, chosen, data)
    values = featviz.readout(model, chosen)(all_images(data, 32))
    values = values[[number - number % 7 for number in range(28)]]
    check(found, values, data, list(range(28)))
    for each in found:
        first = each.top[0]
        assert first % 7 == 0
        assert each.top.tolist()[:7] == list(range(first, first + 7))


# The store.


def test_a_store_holds_the_examples_and_each_of_their_images(tmp_path: Path) -> None:
    model, data = toy_vit(), noise(SEEDS)
    chosen = units(model, *SELECTORS)
    summary = examples_to_store(model, chosen, data, tmp_path / "s")
    store = Store(tmp_path / "s")
    for each in examples(model, chosen, data):
        same(Examples.from_row(store.row(each.address, "examples")), each, rtol=0)
    shown = shown_in(store)
    assert store.addresses("example_images") == list(map(str, sorted(shown)))
    assert (summary.stored, summary.done, summary.others["images"]) == (len(chosen), 0, len(shown))
    for number in sorted(shown)[:3]:
        off = read_image(store, number) / 255 - data.image(number, 32).permute(1, 2, 0).numpy()
        assert np.sqrt(np.square(off).mean()) < 0.12
        assert int(store.row(str(number), "example_images")["label"]) == number % 2
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["shards", "store.json"]


def shown_in(store: Store) -> set[int]:
    rows = list(store.rows("examples"))
    return {int(image) for row in rows for name in ENDS for image in row[name]} - {-1}


def test_examples_record_the_grid_and_prefix_of_the_layer(tmp_path: Path) -> None:
    model = toy_vit()
    chosen = units(model, "blocks.1.mlp.fc1:0", "patch_embed:0", "head:0", "head:0+head:1")
    found = examples(model, chosen, noise([1, 2, 3]))
    layouts = [(each.grid.tolist(), each.prefix) for each in found]
    assert layouts == [([2, 2], 1), ([2, 2], 0), ([-1, -1], 0), ([-1, -1], 0)]


def test_a_second_run_changes_no_byte_and_more_units_add_to_the_store(tmp_path: Path) -> None:
    model, data, store = toy_vit(), noise(SEEDS), tmp_path / "s"
    examples_to_store(model, units(model, *SELECTORS), data, store)
    before = tree(tmp_path)
    again = examples_to_store(model, units(model, *SELECTORS), data, store)
    assert (again.stored, again.done, again.others["images"]) == (0, 14, 0)
    assert tree(tmp_path) == before
    more = examples_to_store(model, units(model, *SELECTORS, "patch_embed:2-9"), data, store)
    assert (more.stored, more.done) == (8, 14)
    assert before.items() <= tree(tmp_path).items()
    opened = Store(store)
    assert set(map(str, shown_in(opened))) == set(opened.addresses("example_images"))
    # No image is there twice.
    assert len(set(opened.addresses("example_images"))) == sum(
        len(opened._source.addresses(part, "example_images"))
        for part in opened._source.parts("example_images")
    )


def test_a_job_that_is_interrupted_at_any_moment_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BATCH", 8)
    monkeypatch.setattr(job, "GROUP", 4)
    monkeypatch.setattr(image_writer, "SHARD", 6)
    model, data = toy_vit(), noise(SEEDS[:21])
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nothing here cuts the power
    chosen = units(model, "blocks.1.mlp.fc1:0-5", "blocks.1.attn.qk:0@same", "head:0")
    finished: list[float] = []
    examples_to_store(
        model, chosen, data, tmp_path / "whole", progress=lambda done, _: finished.append(done)
    )
    assert finished == sorted(finished)
    assert finished[-1] == 2 * len(data)
    whole = tree(tmp_path / "whole")
    for moment in range(1, len(finished) + 1):
        store, calls = tmp_path / f"after-{moment}", 0

        def stop(_done: float, _total: int, moment: int = moment) -> None:
            nonlocal calls
            calls += 1
            if calls == moment:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            examples_to_store(model, chosen, data, store, progress=stop)
        rest: list[float] = []

        def listen(done: float, _total: int, rest: list[float] = rest) -> None:
            rest.append(done)

        examples_to_store(model, chosen, data, store, progress=listen)
        assert tree(store) == whole
        # Images that were read once are not read again.
        assert rest[0] >= min(finished[moment - 1], len(data))


def test_other_data_or_settings_are_refused_or_with_force_set_aside_without_the_renders(
    tmp_path: Path,
) -> None:
    model, data, store = toy_vit(), noise(SEEDS), tmp_path / "s"
    chosen = units(model, "blocks.1.mlp.fc1:0-1")
    render_to_store(model, chosen, make_recipe(model, steps=1, size=32), store)
    examples_to_store(model, chosen, data, store)
    before = tree(tmp_path)
    with pytest.raises(FeatvizError, match=r"data\.fingerprint is .* there and .* here"):
        examples_to_store(model, chosen, noise(SEEDS[1:]), store)
    with pytest.raises(FeatvizError, match="images is 50 there and 20 here"):
        examples_to_store(model, chosen, data, store, count=20)
    with pytest.raises(FeatvizError, match="top is 9 there and 4 here"):
        examples_to_store(model, chosen, data, store, top=4)
    assert tree(tmp_path) == before
    summary = examples_to_store(model, chosen, noise(SEEDS[1:]), store, force=True)
    assert (summary.stored, summary.done) == (2, 0)
    opened = Store(store)
    assert len(opened) == 2
    assert set(map(str, shown_in(opened))) == set(opened.addresses("example_images"))
    # Nothing is lost: every shard is there under one name or another.
    shards = {digest for name, digest in before.items() if name.endswith(".h5")}
    assert shards <= set(tree(tmp_path).values())
    # Images of the same data stay when only the number at the top is another.
    again = examples_to_store(model, chosen, noise(SEEDS[1:]), store, top=3, force=True)
    assert (again.stored, again.others["images"]) == (2, 0)


def test_activation_files_of_other_settings_are_deleted_and_those_of_other_units_stay(
    tmp_path: Path,
) -> None:
    model, data, store = toy_vit(), noise(SEEDS), tmp_path / "s"

    def interrupted(selector: str, **settings: Any) -> set[Path]:
        """Stop a job during its pass, and list the activation files."""

        def stop(finished: float, _: int) -> None:
            if finished:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            examples_to_store(model, units(model, selector), data, store, **settings, progress=stop)
        return set((store / "scratch").iterdir())

    (first,) = interrupted("head:0")
    both = interrupted("head:1")
    assert first in both
    assert len(both) == 2
    (third,) = interrupted("head:0", top=3, force=True)
    assert third not in both


def test_images_whose_shard_was_deleted_are_stored_again(tmp_path: Path) -> None:
    model, data, store = toy_vit(), noise(SEEDS), tmp_path / "s"
    chosen = units(model, "blocks.1.mlp.fc1:0-1")
    examples_to_store(model, chosen, data, store)
    before = tree(store)
    for path in (store / "shards").glob("example_images-*"):
        path.unlink()
    summary = examples_to_store(model, chosen, data, store)
    assert (summary.stored, summary.done) == (0, 2)
    assert summary.others["images"] == len(shown_in(Store(store)))
    assert tree(store) == before


@pytest.mark.parametrize("lost", [("example_maps", "profiles"), ("example_maps",), ("examples",)])
def test_a_store_that_lacks_a_kind_gets_it_and_keeps_the_bytes_of_the_others(
    tmp_path: Path, lost: tuple[str, ...]
) -> None:
    """A store of an earlier version has neither maps nor profiles, nor their configurations."""
    model, data, store = toy_vit(), noise(SEEDS), tmp_path / "s"
    chosen = units(model, *SELECTORS)
    examples_to_store(model, chosen, data, store)
    before, configuration = tree(store / "shards"), Store(store).configuration
    for kind in lost:
        for path in set_aside_kind(store, kind):
            path.unlink()
    summary = examples_to_store(model, chosen, data, store)
    # Units of the head, and sums, have no maps.
    assert summary.stored == (11 if lost == ("example_maps",) else 14)
    assert tree(store / "shards") == before
    assert Store(store).configuration == configuration


def test_a_unit_that_is_infinite_on_an_image_fails_alone_and_is_tried_again(
    tmp_path: Path,
) -> None:
    model = VisionModel("once", Once(), 8, (0.0,) * 3, (1.0,) * 3)
    data = noise([1, 2, 3, 4, 5, 6])
    read = data._source.read

    def with_black(index: int, size: int) -> tuple[Tensor, int]:
        image, label = read(index, size)
        return image * (index != 4), label

    data._source.read = with_black  # type: ignore[method-assign]
    for _ in range(2):
        summary = examples_to_store(model, units(model, "fc:all"), data, tmp_path / "s")
        # The weights of the others are 0 there, and 0 times infinity is no number.
        assert set(summary.failures) == {"fc:0", "fc:1", "fc:2"}
        reasons = set(summary.failures.values())
        assert reasons == {"its value on image 4 is not a finite number"}
        assert set(Store(tmp_path / "s").failures.values()) == reasons
    with pytest.raises(FeatvizError, match="fc:0: its value on image 4 is not a finite number"):
        examples(model, units(model, "fc:all"), data)


def test_a_packed_store_holds_the_same_examples_and_is_valid(tmp_path: Path) -> None:
    model, data, store = toy_vit(), noise(SEEDS, ()), tmp_path / "s"
    examples_to_store(model, units(model, "blocks.1.mlp.fc1:0-4"), data, store)
    examples_to_store(model, units(model, "head:0", "blocks.1.attn.qk:0@same"), data, store)
    opened = Store(store)
    assert opened.verify() == []
    pack(opened, tmp_path / "packed.h5")
    packed = Store(tmp_path / "packed.h5")
    assert packed.verify() == []
    for address in opened.addresses("examples"):
        mine, theirs = (Examples.from_row(one.row(address, "examples")) for one in (opened, packed))
        same(mine, theirs, rtol=0)
        number = int(mine.top[0])
        np.testing.assert_array_equal(read_image(opened, number), read_image(packed, number))


@pytest.mark.parametrize(
    ("count", "top", "chosen", "line"),
    [
        (None, 9, [], "there is no unit to find examples of"),
        (None, 0, [Unit("head", 0)], "at least 1 image at the top is needed, not 0"),
        (0, 9, [Unit("head", 0)], "at least 1 image is needed, not 0"),
        (None, 9, [Unit("head", 7)], "head has units 0-1, not 7"),
    ],
)
def test_invalid_arguments_are_refused_before_the_store_is_made(
    count: int | None, top: int, chosen: list[Unit], line: str, tmp_path: Path
) -> None:
    with pytest.raises(FeatvizError, match=line):
        examples_to_store(toy_vit(), chosen, noise([1, 2]), tmp_path / "s", count, top)
    assert not (tmp_path / "s").exists()


def test_finding_examples_changes_neither_the_model_nor_the_random_state(tmp_path: Path) -> None:
    model = toy_vit()
    model.module.train()
    model.module.requires_grad_(True)
    state = torch.get_rng_state()
    examples_to_store(model, units(model, *SELECTORS), noise([1, 2, 3]), tmp_path / "s")
    assert model.module.training
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_all_units_of_all_sites_share_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = toy_vit(), noise(SEEDS)
    calls: list[int] = []
    call = Readout.__call__

    def counting(self: Readout, images: Tensor) -> Tensor:
        calls.append(len(images))
        return call(self, images)

    monkeypatch.setattr(Readout, "__call__", counting)
    examples(model, units(model, *SELECTORS), data)
    assert calls == [32, 32]
