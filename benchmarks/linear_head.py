"""A linear head on the features of a model without one: held-out accuracy, and a file for --head.

``python -m benchmarks.linear_head MODEL DATA head.npz --arch NAME --image-size PX`` prints one JSON
line. Logistic regression on the output of the model, with an L2 penalty. Every fifth image of each
class is held out for the accuracy; the reference is the share of the largest class. The file is
trained on all other images.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import featviz
from benchmarks.machine import describe
from featviz.data.datasets import Dataset, open_data
from featviz.models.hooks import eval_mode

DECAY = 1e-2


def features_of(model: featviz.VisionModel, data: Dataset) -> tuple[Tensor, Tensor]:
    """Return the outputs of a model, (N, C), and labels, (N,)."""
    found, labels = [], []
    with eval_mode(model.module), torch.no_grad():
        for images, own in data.batches(model.image_size, batch=16):
            found.append(model(images.to(model.device)).cpu())
            labels.append(own)
    return torch.cat(found), torch.cat(labels)


def held_out(labels: Tensor) -> Tensor:
    """Mark every fifth image of each class, bool, (N,)."""
    marks = torch.zeros(len(labels), dtype=torch.bool)
    for label in set(labels.tolist()):
        marks[(labels == label).nonzero()[4::5, 0]] = True
    return marks


def train(features: Tensor, labels: Tensor, classes: int) -> nn.Linear:
    """Fit logistic regression on standardized features, and fold the scaling into the weights."""
    mean, std = features.mean(0), features.std(0).clamp_min(1e-6)
    layer = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    scaled = (features - mean) / std
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(layer(scaled), labels) + DECAY * layer.weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight /= std
        layer.bias.copy_(layer.bias - layer.weight @ mean)
    return layer


def main() -> None:
    """Train, print one JSON line, and write the head."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("head")
    parser.add_argument("--arch")
    parser.add_argument("--image-size", type=int)
    given = parser.parse_args()
    model = featviz.load(given.model, arch=given.arch, image_size=given.image_size)
    data = open_data(given.data)
    features, labels = features_of(model, data)
    test = held_out(labels)
    layer = train(features[~test], labels[~test], len(data.classes))
    with torch.no_grad():
        right = layer(features[test]).argmax(1) == labels[test]
    np.savez(
        given.head,
        weight=layer.weight.detach().numpy(),
        bias=layer.bias.detach().numpy(),
        names=np.array(data.classes),
    )
    print(
        json.dumps(
            {
                "classes": len(data.classes),
                "trained": int((~test).sum()),
                "held_out": int(test.sum()),
                "accuracy": round(right.float().mean().item(), 3),
                "largest_class": round(labels[test].bincount().max().item() / len(right), 3),
                **describe(),
            }
        )
    )


if __name__ == "__main__":
    main()
