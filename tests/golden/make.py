"""Make the golden files.

This was run at version 0.1, whose command line made everything here, and is kept to show how. To
run it again would make golden whatever featviz does today.

    python -m tests.golden.make CHECKOUT FOLDER

runs the featviz of a checkout and fills a new folder like `v0_1`, in two minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.golden.commands import INPUTS, PRINTED, STORES, TRACES, words
from tests.golden.numbers import shortened
from tests.golden.pages import summary

# Runs several command lines after each other. `compare` has no --precision, and on some processors
# would take bfloat16.
PROGRAM = """
import contextlib, io, json, sys, torch
torch.cpu._is_amx_tile_supported = torch.cpu._is_avx512_bf16_supported = lambda: False
from cli.main import main
printed = []
for words in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main(words)
        except SystemExit as end:
            assert not end.code, (words, end.code)
    printed.append(out.getvalue())
json.dump(printed, sys.stdout)
"""

TABLES = """
import sys, patching
for store in sys.argv[1:]:
    patching.read_traces(store).to_csv(f"{store}.csv")
"""

SWEEP = """
import numpy, torch, featviz, patching
from PIL import Image
image = numpy.asarray(Image.open("stripes.png"), numpy.float32) / 255
clean = torch.from_numpy(numpy.stack([image, image[::-1].copy()])).permute(0, 3, 1, 2)
gray = clean.mean(1, keepdim=True).expand_as(clean)
model = featviz.load("cueworld/vit", device="cpu")
labels = torch.tensor([0, 5])
patching.sweep(model, clean, gray, labels, window=[1, 3], layers="3-5").to_csv("sweep.csv")
"""

OPTIONS = """
import json, click, cli.main
group, = (each for each in vars(cli.main).values() if isinstance(each, click.Group))
commands = {"": group} | {name: group.commands[name] for name in group.commands}
names = {
    name: sorted({text for each in command.params if isinstance(each, click.Option)
                  for text in (*each.opts, *each.secondary_opts)})
    for name, command in commands.items()
}
print(json.dumps(names))
"""


def inputs() -> None:
    """Make a direction and an image; `model` is a copy of tests/oracles/huggingface/vit/usual."""
    np.save(INPUTS / "probe.npy", np.cos(np.arange(128, dtype=np.float32)).round(3))
    y, x = np.mgrid[:128, :128]
    stripes = np.stack([(x + y) * 4 % 256, x * 2, 255 - y], -1).astype(np.uint8)
    Image.fromarray(stripes).save(INPUTS / "stripes.png")


def python(
    checkout: Path, folder: Path, program: str, *arguments: str, stdin: str | None = None
) -> str:
    """Run a program in a folder, on one thread, with the featviz of a checkout."""
    settings = {"PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=os.environ | settings,
        check=True,
        text=True,
    )
    return done.stdout


def run(checkout: Path, folder: Path, commands: Sequence[Sequence[str]]) -> list[Any]:
    """Run command lines, and return the JSON that each prints."""
    texts = json.loads(python(checkout, folder, PROGRAM, stdin=json.dumps(commands)))
    return [json.loads(text) if text.startswith(("{", "[")) else text for text in texts]


def dump(path: Path, value: Any) -> None:
    """Write JSON with one line for each entry at the top."""
    lines = [f"{json.dumps(key)}: {json.dumps(each)}" for key, each in value.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main(checkout: Path, target: Path) -> None:
    """Make every store; keep what the commands print that find all done, and a gallery's data."""
    target.mkdir()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(INPUTS, folder, dirs_exist_ok=True)
        steps: dict[str, dict[str, list[str]]] = {
            store: {line: words(line, store) for line in (*lines, "info {store}")}
            for store, lines in STORES.items()
        } | {"": {line: words(line) for line in PRINTED}}
        making = [each for some in steps.values() for each in some.values()]
        sites = [store for store in STORES if store not in TRACES]
        rest = [["gallery", store, "-o", f"{store}-site"] for store in sites]
        rest.append(["pack", "pixel", str(target.resolve() / "pixel.h5")])
        outputs = iter(run(checkout, folder, [*making, *making, *rest])[len(making) :])
        printed = {
            store: {line: shortened(next(outputs)) for line in some}
            for store, some in steps.items()
        }
        for store in STORES:
            with zipfile.ZipFile(target / f"{store}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted((folder / store).rglob("*")):
                    archive.write(path, path.relative_to(folder))
        galleries = {store: shortened(summary(folder / f"{store}-site")) for store in sites}
        python(checkout, folder, TABLES, *TRACES)
        python(checkout, folder, SWEEP)
        for path in folder.glob("*.csv"):
            shutil.move(path, target)
        dump(target / "options.json", json.loads(python(checkout, folder, OPTIONS)))
    for name, values in {"printed": printed, "galleries": galleries}.items():
        dump(target / f"{name}.json", values)


if __name__ == "__main__":
    if not (INPUTS / "probe.npy").exists():
        inputs()
    main(Path(sys.argv[1]), Path(sys.argv[2]))
