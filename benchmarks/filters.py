"""How fast the filters pass over a million keys: ``python benchmarks/filters.py [NUMBER_OF_KEYS]``.

The keys are those that the catalog's own templates give over all known values, with sidecars, repeated until there are
enough. The base of the ratio is a plain loop over the same keys.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.filters import filter_values, held_out_test, key_filter
from laion_fmri.catalog.templates import fields, fill

OPEN_VALUES = ("laion", "FFA-1", "V1v")
FILTERS = {"ses": ["ses-04", "averages"], "desc": "singletrial", "extension": "nii.gz"}


def keys_of(catalog: CatalogFile) -> Iterator[str]:
    for source in catalog.sources.values():
        entities = source.args.entities
        for template in source.args.path:
            names = fields(template)
            for values in itertools.product(*(entities[name].known or OPEN_VALUES for name in names)):
                key = fill(template, dict(zip(names, values, strict=True)))
                yield key
                if source.args.sidecar:
                    folder, _, name = key.rpartition("/")
                    yield f"{folder}/{name.partition('.')[0]}.json"


def seconds(keys: list[str], keeps: Callable[[str], bool] | None) -> tuple[float, int]:
    kept = 0
    start = time.perf_counter()
    if keeps is None:
        for key in keys:
            kept += bool(key)
    else:
        for key in keys:
            kept += keeps(key)
    return time.perf_counter() - start, kept


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    catalog = load_catalog()
    keys = list(itertools.islice(itertools.cycle(keys_of(catalog)), count))
    entities = catalog.filters
    chosen = {
        name: filter_values(name, entities[name], wanted, entities[name].known) for name, wanted in FILTERS.items()
    }
    runs = {
        "plain loop": None,
        **{f"{name}={wanted}": key_filter(entities, {name: chosen[name]}) for name, wanted in FILTERS.items()},
        "all three": key_filter(entities, chosen),
        "held out": held_out_test(catalog.remote.held_out, catalog.entities),
    }
    base = None
    print(f"{len(keys):,} keys, {len(set(keys)):,} different ones")
    for name, keeps in runs.items():
        taken, kept = min(seconds(keys, keeps) for _ in range(3))
        base = base or taken
        print(f"{name:32} {taken:6.2f} s  {len(keys) / taken:13,.0f} keys/s  {taken / base:5.1f} x  {kept:9,} kept")


if __name__ == "__main__":
    main()
