"""`featviz verify`."""

from __future__ import annotations

import click

from cli.output import counts, json_option, print_json, print_line, print_message
from cli.paths import PATH
from featviz._util.printable import printable
from featviz.errors import FeatvizError


@click.command()
@click.argument("store", type=PATH)
@json_option
def verify(store: str, as_json: bool) -> None:
    """Check a store for damage.

    Reads every byte and compares it with the stored checksums. Prints one line per problem; the
    exit status is 1 if there are any.

    \b
    Example:
      featviz verify neurons
    """
    from featviz.store.reader import Store

    opened = Store(store)
    problems = opened.verify()
    if as_json:
        print_json({"store": store, "problems": problems})
    else:
        for problem in problems:
            print_line(printable(problem))
    if problems:
        noun = "problem" if len(problems) == 1 else "problems"
        raise FeatvizError(f"{store} is damaged: {len(problems)} {noun}")
    print_message(f"{store}: no problems, {counts(opened)}")
