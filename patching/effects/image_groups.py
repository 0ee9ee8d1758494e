"""Groups of images that a user names: values of attributes, and the difference of two groups."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError, did_you_mean
from patching.effects.averages import Group, groups


@dataclass(frozen=True)
class Grouping:
    """Groups to average over, besides all images, families and classes.

    Attributes
    ----------
    attributes : tuple of Group
        See `read_attributes`.
    difference : (str, str) or None
        Names of two groups, whose difference is estimated.
    """

    attributes: tuple[Group, ...] = ()
    difference: tuple[str, str] | None = None

    def groups(self, classes: Sequence[str]) -> list[Group]:
        """List the attributes, and the two groups of the difference with it.

        Parameters
        ----------
        classes : sequence of str
            Names of the labels.

        Returns
        -------
        list of Group

        Raises
        ------
        FeatvizError
            If a group of the difference is unknown, or its name is that of several groups.
        """
        if self.difference is None:
            return list(self.attributes)
        known = [*groups(classes), *self.attributes]
        first, second = (_named(name, known) for name in self.difference)
        whole = Group("difference", f"{first.name} minus {second.name}", parts=(first, second))
        return list(dict.fromkeys([*self.attributes, first, second, whole]))


def read_attributes(path: str | Path, dataset: Dataset) -> tuple[Group, ...]:
    """Read groups of images from a CSV file.

    Parameters
    ----------
    path : str or Path
        With a header. The column ``file`` has the relative path of an image in its folder, or the
        index of an image of another dataset; every other column is an attribute. Images that are
        not in the file, or have no value, are in no group of the attribute.
    dataset : Dataset

    Returns
    -------
    tuple of Group
        One for each value of each attribute, ``COLUMN=VALUE``, in order of the first image.

    Raises
    ------
    FeatvizError
        If the file cannot be read, has no column ``file`` or no other one, or names an image twice
        or one that the dataset does not have.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            columns = [name for name in reader.fieldnames or () if name]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FeatvizError(f"{path} cannot be read as a CSV file ({error})") from error
    if "file" not in columns or len(columns) == 1:
        raise FeatvizError(f"{path} needs a column file and a column for each attribute")
    indices = {dataset.file_name(index): index for index in range(len(dataset))}
    members: dict[str, set[int]] = {}
    seen: set[str] = set()
    for row in rows:
        name = row["file"].strip()
        if name not in indices:
            raise FeatvizError(f"{path} names {name!r}, which is no image of {dataset.name}")
        if name in seen:
            raise FeatvizError(f"{path} names {name!r} twice")
        seen.add(name)
        for column in columns:
            if column != "file" and row[column].strip():
                members.setdefault(f"{column}={row[column].strip()}", set()).add(indices[name])
    return tuple(Group("attribute", name, images=frozenset(each)) for name, each in members.items())


def _named(name: str, known: Sequence[Group]) -> Group:
    found = [group for group in known if group.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise FeatvizError(f"there are {len(found)} groups of images called {name!r}")
    names = [group.name for group in known if group.kind != "all"]
    hint = did_you_mean(name, names) or (f"; there are {', '.join(names[:6])}" if names else "")
    raise FeatvizError(f"there is no group of images {name!r}{hint}")
