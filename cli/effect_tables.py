"""Tables of the effects in a store, for `featviz trace` and `featviz attribute`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.output import print_line, print_message, print_table

if TYPE_CHECKING:
    from patching.effects.image_groups import Grouping
    from patching.effects.report import GroupEffects, Peak
    from patching.effects.table import Floats

SHOWN = 24
"""Maximum number of sites in the printed table; the ones with the largest effects."""


def report_effects(
    store: str,
    metric: str,
    all_images: bool,
    plots: str | None,
    as_json: bool,
    grouping: Grouping,
) -> dict[str, Any]:
    """Plot the effects in a store and print tables of them, or return them as JSON.

    Parameters
    ----------
    store : str
    metric : str
        Metric of plots and tables.
    all_images : bool
        Whether to include images that the clean run misclassifies.
    plots : str or None
        Folder of figures.
    as_json : bool
        Whether to return the effects, and print no tables.
    grouping : Grouping
        Further groups of images.

    Returns
    -------
    dict
        Empty unless `as_json` is set.
    """
    from featviz.store.reader import Store
    from patching.effects.report import as_json as averages_json
    from patching.effects.report import summarize
    from patching.effects.table import read_traces
    from patching.plots.job import write_figures

    traced = read_traces(store)
    counted = traced if all_images else traced.only_right()
    if counted.left_out:
        count = f"{counted.left_out} of {len(traced.image)} images"
        print_message(f"{count} are left out: the clean run classifies them wrongly")
    classes = Store(store).configuration["traces"]["classes"]
    more = grouping.groups(classes)
    found = summarize(counted.select(metric=metric), classes, more=more)
    if plots is not None and found:
        usual = [each for each in found if each.average.group.kind in {"all", "family"}]
        for file in write_figures(store, usual, plots):
            print_message(str(file))
    if as_json:
        return {
            "store": store,
            "images": len(traced.image),
            "left_out": counted.left_out,
            "averages": averages_json(summarize(counted, classes, True, more)),
        }
    _print_effects(found)
    if len(traced.sites) > SHOWN * len(set(traced.sites.window.tolist())):
        print_message(f"{SHOWN} of {len(traced.sites)} sites are shown; --json has all")
    return {}


def _print_effects(found: list[GroupEffects]) -> None:
    tables = (_group_rows(found), _site_rows(found), _difference_rows(found))
    for place, rows in enumerate(filter(None, tables)):
        if place:
            print_line()
        print_table(rows)


def _group_rows(found: list[GroupEffects]) -> list[tuple[object, ...]]:
    """Make a row for each group of images: the total effect, and the site of the largest one."""
    interval = ("from", "to")
    headings = ("images", "window", "count", "total", *interval, "peak", "effect", *interval)
    rows: list[tuple[object, ...]] = [(*headings, "share")]
    for each in found:
        average = each.average
        total = _cells(average.total.estimate, average.total.low, average.total.high, 0)
        peak: tuple[object, ...] = ("none",)
        if each.peak is not None:
            site, effect = each.peak.site, average.effect
            # The largest of many sites needs the simultaneous interval.
            cells = _cells(effect.estimate, effect.all_low, effect.all_high, site)
            share = round(float(average.share.estimate[site]), 3)
            peak = (_peak_name(each, each.peak), *cells, share)
        if average.group.parts:
            peak = ()
        row = (average.group.name, each.window, average.count, *total, *peak)
        rows.append((*row, *[""] * (len(rows[0]) - len(row))))
    return rows


def _site_rows(found: list[GroupEffects]) -> list[tuple[object, ...]]:
    """Make a row for each site: the indirect effect on all images, and on each family."""
    from patching.effects.report import name_of

    single = [each for each in found if not each.average.group.parts]
    names = list(dict.fromkeys(each.average.group.name for each in single))
    rows: list[tuple[object, ...]] = [
        ("window", "site", "effect", "from", "to", "share", *names[1:])
    ]
    for whole in (each for each in found if each.average.group.kind == "all"):
        effect = whole.average.effect
        families = [each for each in single if each.window == whole.window and each is not whole]
        for site in _strongest(effect.estimate):
            share = float(whole.average.share.estimate[site])
            cells = _cells(effect.estimate, effect.low, effect.high, site)
            others = [_rounded(each.average.effect.estimate[site]) for each in families]
            name = name_of(whole.table.sites, site)
            rows.append((whole.window, name, *cells, _rounded(share), *others))
    return rows


def _difference_rows(found: list[GroupEffects]) -> list[tuple[object, ...]]:
    """Make a row for each site: its effects on two groups, and their difference.

    The first interval is of a site chosen in advance, the second simultaneous over all sites.
    """
    from patching.effects.report import name_of

    rows: list[tuple[object, ...]] = []
    for each in found:
        group, difference = each.average.group, each.average.effect
        if not group.parts:
            continue
        names = [part.name for part in group.parts]
        parts = [
            next(
                one for one in found if (one.window, one.average.group.name) == (each.window, name)
            )
            for name in names
        ]
        interval = ("from", "to")
        headings = (
            "window",
            "site",
            *names,
            "difference",
            *interval,
            *(f"{x} (all)" for x in interval),
        )
        rows = rows or [headings]
        for site in _strongest(difference.estimate):
            own = (_rounded(one.average.effect.estimate[site]) for one in parts)
            cells = _cells(difference.estimate, difference.low, difference.high, site)
            every = (_rounded(end[site]) for end in (difference.all_low, difference.all_high))
            rows.append((each.window, name_of(each.table.sites, site), *own, *cells, *every))
    return rows


def _strongest(estimates: Floats) -> list[int]:
    """All sites in order, or the largest effects first if there are more than `SHOWN`."""
    if len(estimates) <= SHOWN:
        return list(range(len(estimates)))
    order: list[int] = (-abs(estimates)).argsort(kind="stable")[:SHOWN].tolist()
    return order


def _peak_name(found: GroupEffects, peak: Peak) -> str:
    """Name the peak, and how many other sites it may be."""
    from patching.effects.report import name_of

    sites = found.table.sites
    others = [site for site in dict.fromkeys(peak.likely) if site != peak.site]
    name = name_of(sites, peak.site)
    if len(others) in {1, 2}:
        return f"{name} (or {' or '.join(name_of(sites, site) for site in others)})"
    return f"{name} (or {len(others)} others)" if others else name


def _cells(middle: Floats, low: Floats, high: Floats, index: int) -> tuple[float, ...]:
    return tuple(_rounded(column[index]) for column in (middle, low, high))


def _rounded(value: float) -> float:
    return round(float(value), 4) + 0.0  # adding 0.0 turns -0.0 into 0.0
