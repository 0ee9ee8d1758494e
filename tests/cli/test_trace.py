from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from cli.main import status
from featviz import cueworld
from featviz._util.images import to_uint8
from featviz.store.reader import Store
from patching.effects.table import read_traces
from tests.cli.running import Run, tree
from tests.featviz.data.test_datasets import cifar
from tests.patching.sweeps.test_job import huggingface

WORDS = ("trace", "cueworld/vit", "--data", "cueworld", "--images", 18, "--window", "1,3")
GRAY = (*WORDS, "--corrupt", "grayscale")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "s"
    assert status([*map(str, GRAY), "-o", str(path)]) == 0
    return path


def test_grayscale_affects_color_classes_and_not_texture_classes(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "s"
    result = run(*GRAY, "-o", store, "--json")
    assert result.status == 0
    assert "18 images traced, 0 already stored" in result.err
    report = json.loads(result.out)
    found = {(o["group"], o["metric"], o["window"]): o for o in report["averages"]}
    assert found["colour", "probability", 1]["total"]["estimate"] >= 0.8
    assert abs(found["texture", "probability", 1]["total"]["estimate"]) < 0.1
    assert found["red", "kl", 3]["images"] == 1
    color = found["colour", "probability", 3]
    effects = [one["effect"]["estimate"] for one in color["sites"]]
    assert [one["layer"] for one in color["sites"]] == list(range(12))
    assert color["peak"]["layer"] == int(np.argmax(effects))
    # Of an average over the six images that the store holds.
    table = read_traces(store).select(metric="probability", window=3)
    assert effects == pytest.approx(table.effect[0][:, table.label < 6].mean(1).tolist())


def test_a_second_run_writes_nothing_and_prints_the_same(run: Run, store: Path) -> None:
    before = tree(store)
    result = run(*GRAY, "-o", store)
    assert tree(store) == before
    assert "0 images traced, 18 already stored" in result.err
    groups, sites = (part.splitlines() for part in result.out.split("\n\n"))
    assert [line.split()[:3] for line in groups[1:]] == [
        [name, window, count]
        for window in ("1", "3")
        for name, count in (("all", "18"), ("colour", "6"), ("shape", "6"), ("texture", "6"))
    ]
    assert sites[0].split() == [
        *("window", "site", "effect", "from", "to", "share"),
        *("colour", "shape", "texture"),
    ]
    assert len(sites) == 1 + 24
    table = read_traces(store).select(metric="probability", window=1)
    assert float(sites[1].split()[3]) == pytest.approx(table.effect[0, 0].mean(), abs=1e-4)


def test_another_configuration_is_refused_without_force(run: Run, tmp_path: Path) -> None:
    words = ("trace", "cueworld/vit", "--data", "cueworld:2", "--site", "patch_embed")
    assert run(*words, "--corrupt", "blur", "-o", tmp_path / "s").status == 0
    refused = run(*words, "--corrupt", "blur:2", "-o", tmp_path / "s").refusal()
    assert 'corrupt is "blur" there and "blur:2" here' in refused
    assert run(*words, "--corrupt", "blur:2", "-o", tmp_path / "s", "--force").status == 0
    assert (tmp_path / "s.1").is_dir()


def test_plots_are_files_and_the_store_stays_as_it_is(
    run: Run, store: Path, tmp_path: Path
) -> None:
    before = tree(store)
    result = run(*GRAY, "-o", store, "--plots", tmp_path / "plots", "--metric", "logit")
    assert result.status == 0
    names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert names == [
        "effects-logit.png",
        "effects-logit.svg",
        "images-logit.png",
        "images-logit.svg",
    ]
    assert [line for line in result.err.splitlines() if line.endswith(".svg")] == [
        str(tmp_path / "plots" / name) for name in names if name.endswith(".svg")
    ]
    assert tree(store) == before


def test_a_gallery_draws_the_numbers_of_a_store(run: Run, store: Path, tmp_path: Path) -> None:
    opened = Store(store)
    assert {"effects", "trace_images"} <= set(opened.kinds)
    assert len(opened.addresses("effects")) == 4 * 4  # all images and three families, four metrics
    images = next(opened.rows("trace_images"))["images"]
    assert np.ptp(images[0].astype(int), axis=-1).max() > 50
    assert np.ptp(images[1].astype(int), axis=-1).max() <= 1  # its grayscale copy
    assert run("gallery", store, "-o", tmp_path / "site").status == 0
    (model,) = (tmp_path / "site").glob("data-*/1/sections/traces.js")
    assert '"sweeps":[{' in model.read_text()


def test_activations_of_a_donor_restore_color_to_a_colorblind_model(
    run: Run, tmp_path: Path
) -> None:
    words = ("trace", "cueworld/vit_colourblind", "--data", "cueworld:18", "--corrupt", "none")
    result = run(
        *words, "--donor", "cueworld/vit", "--site", "resid", "-o", tmp_path / "s", "--json"
    )
    found = {(o["group"], o["metric"]): o for o in json.loads(result.out)["averages"]}
    color = found["colour", "probability"]
    assert color["corrupted"] < 0.4  # it guesses among six
    assert color["clean"] > 0.9
    donor = Store(tmp_path / "s").configuration["traces"]["donor"]
    assert donor["model"] == "cueworld/vit"


@pytest.mark.filterwarnings("default")
def test_a_hugging_face_folder_and_cifar_are_accepted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar(tmp_path / "cifar", datasets.CIFAR10, monkeypatch)
    folder = huggingface(tmp_path / "vit")
    words = ("trace", folder, "--data", f"cifar10:{tmp_path / 'cifar'}", "--corrupt", "grayscale")
    more = ("--window", "1,3", "-o", tmp_path / "s")
    result = run(*words, *more, "--all-images", "--json")
    assert result.status == 0
    report = json.loads(result.out)
    assert (report["images"], report["left_out"]) == (3, 0)
    kinds = {one["kind"] for one in report["averages"]}
    assert kinds == {"all", "class"}
    # Labels 5, 0 and 9 of the archive, which the model's logits have in another order.
    named = {one["group"] for one in report["averages"] if one["kind"] == "class"}
    assert named == {"name 5", "name 0", "name 9"}
    # A model of random weights gets none of three images right, and this is said.
    assert result.err.count("classifies 0 of 3 images of cifar10:") == 1
    refused = run(*words, "--window", "1", "-o", tmp_path / "t").refusal()
    assert "classifies 0 of 3 images of cifar10:" in refused
    assert refused.endswith("; --all-images includes the misclassified images")


def test_images_that_the_clean_run_classifies_wrongly_are_left_out(
    run: Run, tmp_path: Path
) -> None:
    words = ("trace", "cueworld/vit_colourblind", "--data", "cueworld:18", "--site", "mlp")
    more = ("--corrupt", "blur", "-o", tmp_path / "s", "--layers", "0", "--json")
    result = run(*words, *more)
    table = read_traces(tmp_path / "s")
    wrong = int((~table.right).sum())
    assert wrong > 0
    assert f"{wrong} of 18 images are left out" in result.err
    report = json.loads(result.out)
    assert report["left_out"] == wrong
    assert report["averages"][0]["images"] == 18 - wrong
    everything = json.loads(run(*words, *more, "--all-images").out)
    assert everything["averages"][0]["images"] == 18


def cueworld_folder(root: Path, count: int, names: dict[int, str]) -> None:
    """Write images of cueworld into folders, by the name of each of some classes."""
    drawn = cueworld.draw(count, seed=10_000, size=cueworld.SIZE)
    for index, (image, label) in enumerate(zip(drawn.images, drawn.labels.tolist(), strict=True)):
        if label in names:
            path = root / names[label] / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(to_uint8(image).numpy()).save(path)


def test_folders_that_are_numbers_have_the_labels_of_these_numbers(
    run: Run, tmp_path: Path
) -> None:
    # Sorted as text, 10 would be class 2.
    cueworld_folder(tmp_path / "data", 36, {label: str(label) for label in range(18)})
    words = ("trace", "cueworld/vit", "--data", f"folder:{tmp_path / 'data'}")
    more = ("--corrupt", "blur", "--site", "patch_embed", "-o", tmp_path / "s", "--json")
    result = run(*words, *more)
    assert result.status == 0, result.err
    assert json.loads(result.out)["left_out"] <= 1
    table = read_traces(tmp_path / "s")
    files = sorted((tmp_path / "data").rglob("*.png"))
    assert table.label.tolist() == [int(path.parent.name) for path in files]


@pytest.mark.filterwarnings("default")
def test_labels_in_another_order_are_refused_before_the_sweep_and_only_reported_after_it(
    run: Run, tmp_path: Path
) -> None:
    names = {label: f"kind {(label + 1) % 18:02}" for label in range(18)}
    cueworld_folder(tmp_path / "data", 36, names)
    words = ("trace", "cueworld/vit", "--data", f"folder:{tmp_path / 'data'}")
    more = ("--corrupt", "blur", "--site", "patch_embed", "-o", tmp_path / "s")
    says = f"cueworld/vit classifies 0 of 36 images of folder:{tmp_path / 'data'} correctly (0 %); "
    before = run(*words, *more).refusal()
    assert says in before
    # Named by the folder and by the model's own class, one before.
    wrong, own = before.split("the most frequent error is ")[1].split(";")[0].split(" for ")
    kind = cueworld.CLASSES.index(wrong.strip("'"))
    assert own == repr(names[kind])
    assert not (tmp_path / "s").exists()
    everything = run(*words, *more, "--all-images")
    assert everything.status == 0
    assert everything.err.count(says) == 1
    after = run(*words, *more, "--plots", tmp_path / "plots")
    assert after.status == 0
    assert after.err.count(says) == 1
    assert "36 of 36 images are left out" in after.err
    # Another job: the same check, before the stored effects are renamed.
    assert says in run(*words, *more, "--corrupt", "grayscale", "--force").refusal()
    assert not (tmp_path / "s.1").exists()


@pytest.mark.filterwarnings("default")
def test_the_model_of_the_clean_run_is_the_one_that_must_classify(run: Run, tmp_path: Path) -> None:
    # On classes that differ in color. Denoising runs clean images through the donor.
    cueworld_folder(tmp_path / "data", 36, dict(enumerate(cueworld.CLASSES[:6])))
    words = ("trace", "cueworld/vit", "--data", f"folder:{tmp_path / 'data'}")
    more = ("--donor", "cueworld/vit_colourblind", "--site", "patch_embed", "-o", tmp_path / "s")
    assert re.search(r"vit_colourblind classifies [0-5] of 12 images", run(*words, *more).refusal())
    accurate = run(*words, *more[:-1], tmp_path / "t", "--noising")
    assert accurate.status == 0
    assert "classifies" not in accurate.err.replace("classifies them wrongly", "")


def test_the_table_has_the_largest_effects_and_json_has_all(run: Run, tmp_path: Path) -> None:
    words = ("trace", "cueworld/vit", "--data", "cueworld:4", "--corrupt", "grayscale")
    more = ("--site", "resid", "--by", "token", "--layers", "3", "-o", tmp_path / "s")
    result = run(*words, *more)
    sites = result.out.split("\n\n")[1].splitlines()[1:]
    assert len(sites) == 24
    sizes = [abs(float(line.split()[5])) for line in sites]
    assert sizes == sorted(sizes, reverse=True)
    assert "24 of 65 sites are shown" in result.err
    assert len(json.loads(run(*words, *more, "--json").out)["averages"][0]["sites"]) == 65


def test_latents_are_patched_one_by_one_and_named(run: Run, tmp_path: Path) -> None:
    words = ["trace", "cueworld/vit", "--data", "cueworld:18", "--sae", "s=cueworld/sae"]
    words += ["--site", "sae.s:167,35", "--corrupt", "grayscale", "--metric", "logit"]
    result = run(*words, "-o", tmp_path / "s")
    assert "layer 8, latent 167" in result.out
    table = read_traces(tmp_path / "s").select(metric="logit")
    assert [site[:3] for site in table.sites] == [("sae.s", 8, "167"), ("sae.s", 8, "35")]
    # Latent 167 is yellow: it restores the logit of the yellow image, and no other as much.
    classes = Store(tmp_path / "s").configuration["traces"]["classes"]
    assert classes[table.label[table.effect[0, 0].argmax()]] == "yellow"
    assert "0 images traced, 18 already stored" in run(*words, "-o", tmp_path / "s").err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give a corruption, a donor or an ablation"),
        (("--corrupt", "greyscale"), "did you mean grayscale"),
        (("--corrupt", "noise"), "expected noise:AMOUNT"),
        (("--corrupt", "none"), "give a corruption, a donor or an ablation"),
        (("--corrupt", "blur", "--site", "atn"), "did you mean attn"),
        (("--corrupt", "blur", "--window", "0"), "integers >= 1"),
        (("--corrupt", "blur", "--tokens", "registers"), "no tokens 'registers'"),
        (("--corrupt", "blur", "--ablate", "mean"), "remove the corruption"),
        (("--donor", "cueworld/mixer"), "cueworld/mixer"),
        (("--ablate", "mean", "--donor", "cueworld/vit_colourblind"), "cannot be combined"),
        (("--corrupt", "blur", "--site", "sae.s:0"), "sae.s"),
        (
            ("--corrupt", "blur", "--sae", "s=cueworld/sae", "--site", "sae.s:512"),
            "sae.s has latents 0-511, not 512",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_one_line_without_a_store(
    run: Run, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    fixed = ("trace", "cueworld/vit", "--data", "cueworld:2", "-o", tmp_path / "s")
    assert says in run(*fixed, *words).refusal()
    assert not (tmp_path / "s").exists()


def test_the_table_of_a_store_can_be_written_as_csv(store: Path, tmp_path: Path) -> None:
    table = read_traces(store)
    table.to_csv(tmp_path / "effects.csv")
    with (tmp_path / "effects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18 * 24 * 4
    row = rows[-1]
    assert (row["image"], row["site"], row["window"]) == ("17", "attn_out", "3")
    assert float(row["effect"]) == float(row["restored"]) - float(row["corrupted"])


def test_the_difference_of_two_groups_is_printed_with_both_effects(
    run: Run, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    shutil.copytree(store, path)
    sides = tmp_path / "sides.csv"
    rows = [f"{index},{'left' if index % 2 else 'right'}" for index in range(18)]
    sides.write_text("\n".join(["file,side", *rows]))
    words = (*GRAY, "--groups", sides, "-o", path)
    result = run(*words, "--difference", "side=left", "colour")
    assert result.refusal().endswith("the difference needs groups without common images")
    result = run(*words, "--difference", "side=left", "side=right")
    assert result.status == 0
    groups, _, differences = (part.splitlines() for part in result.out.split("\n\n"))
    row = next(line for line in groups if line.startswith("side=left minus side=right "))
    table = read_traces(path).select(metric="probability", window=1)
    odd = table.image % 2 == 1
    total = table.total[0][odd].mean() - table.total[0][~odd].mean()
    assert float(row.split()[5]) == pytest.approx(total, abs=1e-3)
    assert differences[0].split()[:5] == ["window", "site", "side=left", "side=right", "difference"]
    first = differences[1].split()
    effects = [table.effect[0, 0][side].mean() for side in (odd, ~odd)]
    assert [float(each) for each in first[3:6]] == pytest.approx(
        [*effects, effects[0] - effects[1]], abs=2e-4
    )
    # The gallery has them, too, and the effects were not measured again.
    kinds = [row["kind"] for row in Store(path).rows("effects")]
    assert kinds.count("attribute") == 2 * 4
    assert kinds.count("difference") == 4
    assert "0 images traced, 18 already stored" in result.err


TOWER = (
    *("vit_tiny_patch16_224", "--untrained", "--image-size", 32, "--model-arg", "num_classes=0"),
    *("--model-arg", "depth=2", "--model-arg", "embed_dim=24", "--model-arg", "num_heads=2"),
)


def test_a_model_without_a_classifier_needs_a_metric_of_embeddings_or_class_vectors(
    run: Run, tmp_path: Path
) -> None:
    words = ("trace", *TOWER, "--data", "cueworld:18", "--corrupt", "grayscale")
    refused = run(*words, "--metric", "logit", "-o", tmp_path / "s").refusal()
    assert "has no classifier, which the metric logit needs" in refused
    assert not (tmp_path / "s").exists()
    result = run(*words, "-o", tmp_path / "s", "--json")
    assert {one["metric"] for one in json.loads(result.out)["averages"]} == {"cosine"}
    direction = tmp_path / "d.npy"
    np.save(direction, np.eye(24)[0])
    result = run(*words, "--direction", direction, "-o", tmp_path / "p", "--json")
    averages = json.loads(result.out)["averages"]
    assert {one["metric"] for one in averages} == {"cosine", "projection"}
    other = tmp_path / "e.npy"
    np.save(other, np.eye(24)[1])
    refused = run(*words, "--direction", other, "-o", tmp_path / "p").refusal()
    assert "has traces of another configuration: direction is" in refused
    head = tmp_path / "h.npz"
    names = np.array(cueworld.CLASSES[::-1])
    np.savez(head, weight=np.eye(18, 24), names=names)
    result = run(*words, "--head", head, "--all-images", "-o", tmp_path / "h")
    assert result.status == 0
    # Classes are matched by name.
    assert read_traces(tmp_path / "h").label.tolist() == list(range(17, -1, -1))
