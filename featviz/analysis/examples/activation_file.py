"""The values of units on all images, on disk until every unit is done.

One pass over the images finds the values of all units; what is asked of a unit needs all of its
values. They wait in a file, a block of images after another, so that the memory that a job takes
does not depend on the number of images, and an interrupted pass goes on at the block it was at.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from featviz._util.files import write_all, writing

_DIGEST = 32  # bytes of SHA-256 behind each block
_MARK = 4  # numbers of 4 bytes for the mark of an image
_BESIDE = 1 + _MARK  # and one for its label

Values = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


class Spool:
    """A file of values, opened and held by this process alone (see `featviz.analysis.examples.scratch_folder`).

    A header names the units; then come blocks of the same number of images each. A block holds
    the labels and marks of its images, the values of unit after unit, and a digest of all this and
    of the block's place, so that one that was half written, or never reached the disk, is known.

    Attributes
    ----------
    path : Path
    addresses : list of str
        The units, in the order of their values.
    block : int
        Images in a block.
    blocks : int
        How many there are.
    """

    def __init__(self, path: Path, descriptor: int, header: bytes) -> None:
        fields = json.loads(header)
        self.path = path
        self.addresses: list[str] = fields["addresses"]
        self.block = int(fields["block"])
        self._descriptor = descriptor
        self._start: int = len(header)
        self._seed = sha256(header).digest()
        self._size: int = 4 * self.block * (_BESIDE + len(self.addresses)) + _DIGEST
        self.blocks: int = self._sound()
        with writing(path):
            os.ftruncate(descriptor, self._place(self.blocks))

    def append(self, labels: Ints, marks: Sequence[bytes], values: Values) -> None:
        """Add a block; when this returns it survives a crash.

        Parameters
        ----------
        labels : int32 array, shape (images,)
        marks : sequence of bytes
            16 for each image; equal ones for equal images only.
        values : float32 array, shape (images, units)
            Of at most `block` images; a last block that has fewer is filled up with zeros.

        Raises
        ------
        FeatvizError
            When the operating system refuses.
        """
        fields = np.zeros((_BESIDE + len(self.addresses), self.block), "<i4")
        fields[0, : len(labels)] = labels
        fields[1:_BESIDE, : len(labels)] = (
            np.frombuffer(b"".join(marks), "<i4").reshape(-1, _MARK).T
        )
        fields[_BESIDE:, : len(labels)] = np.ascontiguousarray(values, "<f4").view("<i4").T
        data = fields.tobytes()
        with writing(self.path):
            os.lseek(self._descriptor, self._place(self.blocks), os.SEEK_SET)
            write_all(self._descriptor, data + self._digest(self.blocks, data))
            os.fsync(self._descriptor)
        self.blocks += 1

    def labels(self, count: int) -> Ints:
        """Read the labels of the first `count` images."""
        labels: Ints = self._rows(0, 1, count)[0]
        return labels

    def firsts(self, count: int) -> npt.NDArray[np.intp]:
        """Tell, for each of the first `count` images, the first that has its mark."""
        marks = np.ascontiguousarray(self._rows(1, _BESIDE, count).T).view(f"V{4 * _MARK}")[:, 0]
        _, first, which = np.unique(marks, return_index=True, return_inverse=True)
        firsts: npt.NDArray[np.intp] = first[which]
        return firsts

    def values(self, start: int, stop: int, count: int) -> Values:
        """Read the values of units `start` to `stop` on the first `count` images.

        Returns
        -------
        float32 array, shape (stop - start, count)
        """
        return self._rows(_BESIDE + start, _BESIDE + stop, count).view("<f4")

    def missing(self, count: int) -> int:
        """Bytes that the file still has to grow for `count` images."""
        return (-(-count // self.block) - self.blocks) * self._size

    def _rows(self, start: int, stop: int, count: int) -> Ints:
        found = np.empty((stop - start, self.blocks, self.block), "<i4")
        length = 4 * self.block * (stop - start)
        for number in range(self.blocks):
            place = self._place(number) + 4 * self.block * start
            data = os.pread(self._descriptor, length, place)
            found[:, number] = np.frombuffer(data, "<i4").reshape(stop - start, self.block)
        return found.reshape(stop - start, -1)[:, :count]

    def _place(self, number: int) -> int:
        return self._start + number * self._size

    def _digest(self, number: int, data: bytes) -> bytes:
        return sha256(self._seed + number.to_bytes(8, "big") + data).digest()

    def _sound(self) -> int:
        """Count the blocks in front of the first that is not as it was written."""
        number = 0
        while True:
            data = os.pread(self._descriptor, self._size, self._place(number))
            if len(data) < self._size or data[-_DIGEST:] != self._digest(number, data[:-_DIGEST]):
                return number
            number += 1
