"""The model whose results a store holds."""

from __future__ import annotations

from dataclasses import replace

from featviz.errors import FeatvizError
from featviz.models.loading.load import attach_saes, find_device, load
from featviz.models.loading.options import LoadOptions
from featviz.models.vision_model import VisionModel
from featviz.store.reader import Store

ADVICE = "; --model PATH says where it is"


def load_model_of(
    store: Store, name: str | None = None, device: str = "auto", advice: str = ADVICE
) -> VisionModel:
    """Load the model whose results a store holds.

    The name by which it was loaded is tried first, then that with the absolute path of its file or
    folder. The fingerprint decides whether it is the model.

    Parameters
    ----------
    store : Store
    name : str, optional
        Where the model is now, if it was moved.
    device : str
        See `featviz.load`.
    advice : str
        What the error says at its end if no name is given.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If the model is not found, or has another fingerprint, or a sparse autoencoder of the store
        is not found, or has another digest.
    """
    find_device(device)
    options = LoadOptions.from_json(store.load)
    alone = replace(options, saes={})
    names = [store.model, store.location] if name is None else [name]
    reasons = []
    for each in dict.fromkeys(filter(None, names)):
        try:
            model = load(each, device=device, **vars(alone))
        except FeatvizError as error:
            reasons.append(str(error))
            continue
        if model.fingerprint == store.fingerprint:
            return attach_saes(model, options.saes)
        reasons.append(
            f"{each} is another model: its fingerprint is {model.fingerprint[:8]}, not "
            f"{store.fingerprint[:8]}"
        )
    end = "" if name else advice
    raise FeatvizError(f"cannot load the model of {store.path}: {'; '.join(reasons)}{end}")
