"""Results in HDF5: the only code that knows the format, which `docs/store-format.md` describes.

A folder `STORE/` holds `store.json` and write-once shards; `pack` makes one file of it.
"""

from featviz.store.columns import Columns, Row
from featviz.store.packing import pack
from featviz.store.reader import Store
from featviz.store.writer import ADVICE, StoreWriter

__all__ = ["ADVICE", "Columns", "Row", "Store", "StoreWriter", "pack"]
