"""Activation file: the values of units on all images, on disk until every unit is finished.

One pass over the images computes the values of all units, and the examples of a unit depend on all
of its values. They are stored in a file, block by block of images, so that a job's memory does not
grow with the number of images, and an interrupted pass resumes at the block where it was.
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

_DIGEST = 32  # bytes of SHA-256 at the end of each block
_HASH = 4  # rows of 4-byte integers for the hash of an image
_HEADER_ROWS = 1 + _HASH  # and one row for its label

Values = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


class ActivationFile:
    """A file of values, opened and locked by this process.

    Opened by `featviz.analysis.examples.scratch.folder.open_activation_file`. A header names the
    units. It is followed by blocks of the same number of images. A block holds the labels and
    hashes of its images, the values of unit after unit, for each latent on how many tokens it fires
    and a bit for each image on which it does, and a digest of these and of the block's index, so
    that a block that was written partly, or never reached the disk, is detected.

    Parameters
    ----------
    path : Path
        For error messages.
    descriptor : int
        The open file.
    header : bytes
        Its first line.

    Attributes
    ----------
    path : Path
    addresses : list of str
        The units, in the order of their values.
    latents : int
        Number of latents whose firing is recorded.
    block_size : int
        Images per block.
    blocks : int
        Number of valid blocks.
    """

    def __init__(self, path: Path, descriptor: int, header: bytes) -> None:
        fields = json.loads(header)
        self.path = path
        self.addresses: list[str] = fields["addresses"]
        self.latents, self.block_size = int(fields["latents"]), int(fields["block"])
        self._descriptor = descriptor
        self._start: int = len(header)
        self._seed = sha256(header).digest()
        rows = _HEADER_ROWS + len(self.addresses)
        self._firing_start: int = 4 * self.block_size * rows
        self._mask_bytes = -(-self.block_size // 8)
        firing_bytes = self.latents * (4 + self._mask_bytes)
        self._block_bytes: int = self._firing_start + firing_bytes + _DIGEST
        self.blocks: int = self._count_valid_blocks()
        with writing(path):
            os.ftruncate(descriptor, self._offset(self.blocks))

    def append(
        self, labels: Ints, hashes: Sequence[bytes], values: Values, fired: Ints | None = None
    ) -> None:
        """Append a block; it survives a crash after this returns.

        Parameters
        ----------
        labels : int32 array, shape (images,)
        hashes : sequence of bytes
            16 bytes for each image, which are equal for equal images only.
        values : float32 array, shape (images, units)
            Values on at most `block_size` images; a last block of fewer is padded with zeros.
        fired : int array, shape (images, latents), optional
            On how many tokens of each image each latent fires; required if there are latents.

        Raises
        ------
        FeatvizError
            If the operating system refuses.
        """
        fields = np.zeros((_HEADER_ROWS + len(self.addresses), self.block_size), "<i4")
        fields[0, : len(labels)] = labels
        fields[1:_HEADER_ROWS, : len(labels)] = (
            np.frombuffer(b"".join(hashes), "<i4").reshape(-1, _HASH).T
        )
        fields[_HEADER_ROWS:, : len(labels)] = np.ascontiguousarray(values, "<f4").view("<i4").T
        data = fields.tobytes()
        if fired is not None:
            data += fired.sum(0, dtype="<i4").tobytes()
            mask = np.zeros((self.latents, self.block_size), bool)
            mask[:, : len(fired)] = fired.T > 0
            data += np.packbits(mask, axis=1).tobytes()
        with writing(self.path):
            os.lseek(self._descriptor, self._offset(self.blocks), os.SEEK_SET)
            write_all(self._descriptor, data + self._digest(self.blocks, data))
            os.fsync(self._descriptor)
        self.blocks += 1

    def labels(self, count: int) -> Ints:
        """Return the labels of the first `count` images, shape (count,)."""
        labels: Ints = self._rows(0, 1, count)[0]
        return labels

    def first_copies(self, count: int) -> npt.NDArray[np.intp]:
        """Return the first image with the same hash for each of the first `count` images."""
        rows = np.ascontiguousarray(self._rows(1, _HEADER_ROWS, count).T)
        hashes = rows.view(f"V{4 * _HASH}")[:, 0]
        _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        copies: npt.NDArray[np.intp] = first[inverse]
        return copies

    def values(self, start: int, stop: int, count: int) -> Values:
        """Read the values of units `start` to `stop` on the first `count` images.

        Parameters
        ----------
        start, stop : int
            Range of unit indices, without `stop`.
        count : int
            Number of images.

        Returns
        -------
        float32 array, shape (stop - start, count)
        """
        return self._rows(_HEADER_ROWS + start, _HEADER_ROWS + stop, count).view("<f4")

    def fired_tokens(self, count: int) -> npt.NDArray[np.int64]:
        """Return on how many tokens of the first `count` images each latent fires, (latents,)."""
        total = np.zeros(self.latents, np.int64)
        for block in range(-(-count // self.block_size)):
            offset = self._offset(block) + self._firing_start
            total += np.frombuffer(os.pread(self._descriptor, 4 * self.latents, offset), "<i4")
        return total

    def fires(self, start: int, stop: int, count: int) -> npt.NDArray[np.bool_]:
        """Return on which of the first `count` images latents `start` to `stop` fire.

        Returns
        -------
        bool array, shape (stop - start, count)
        """
        found = np.empty((stop - start, self.blocks, self.block_size), bool)
        for block in range(self.blocks):
            offset = self._offset(block) + self._firing_start + 4 * self.latents
            data = os.pread(
                self._descriptor,
                (stop - start) * self._mask_bytes,
                offset + start * self._mask_bytes,
            )
            mask = np.frombuffer(data, np.uint8).reshape(stop - start, self._mask_bytes)
            found[:, block] = np.unpackbits(mask, axis=1, count=self.block_size)
        return found.reshape(stop - start, -1)[:, :count]

    def missing_bytes(self, count: int) -> int:
        """Return by how many bytes the file still grows until it holds `count` images."""
        return (-(-count // self.block_size) - self.blocks) * self._block_bytes

    def _rows(self, start: int, stop: int, count: int) -> Ints:
        found = np.empty((stop - start, self.blocks, self.block_size), "<i4")
        length = 4 * self.block_size * (stop - start)
        for block in range(self.blocks):
            offset = self._offset(block) + 4 * self.block_size * start
            data = os.pread(self._descriptor, length, offset)
            found[:, block] = np.frombuffer(data, "<i4").reshape(stop - start, self.block_size)
        return found.reshape(stop - start, -1)[:, :count]

    def _offset(self, block: int) -> int:
        return self._start + block * self._block_bytes

    def _digest(self, block: int, data: bytes) -> bytes:
        return sha256(self._seed + block.to_bytes(8, "big") + data).digest()

    def _count_valid_blocks(self) -> int:
        """Count the blocks before the first that is missing or differs from its digest."""
        block = 0
        while True:
            data = os.pread(self._descriptor, self._block_bytes, self._offset(block))
            is_whole = len(data) == self._block_bytes
            if not is_whole or data[-_DIGEST:] != self._digest(block, data[:-_DIGEST]):
                return block
            block += 1
