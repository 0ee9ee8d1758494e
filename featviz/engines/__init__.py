"""Where batches are rendered: in this process, or by the workers of a Ray cluster."""

from featviz.engines.engine import NAMES, Engine, Local, engine_named

__all__ = ["NAMES", "Engine", "Local", "engine_named"]
