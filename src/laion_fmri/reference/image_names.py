"""The page of the rules for image names, as the catalog has them."""

from __future__ import annotations

from laion_fmri.catalog.image_names import GROUPS, ImageKind, ImageNames
from laion_fmri.reference.markdown import code, codes, escape, table
from laion_fmri.reference.template import render

PAGE = "image-names.md"


def image_names_page(rules: ImageNames, source: str) -> str:
    """Return what names there are, how many of each kind, and what they say."""
    used = [group for group in GROUPS if any(group in rule.regex.groupindex for rule in rules.kinds.values())]
    return render(
        f"{PAGE}.jinja",
        source,
        count=f"{sum(rule.count for rule in rules.kinds.values()):,}",
        kinds=_kind_table(rules),
        example=next(iter(rules.kinds.values())).examples[0],
        parts=table(["Part", "Meaning"], ([code(group), GROUPS[group]] for group in used)),
        owners=_table("Code", "Subject", rules.owners),
        ood_types=_table("Type", "Images", rules.ood_types),
        rules=rules.kinds,
    )


def _kind_table(rules: ImageNames) -> str:
    header = ["Kind", "What they are", "Images", "Seen by", "Times each", "Source", "The name also says"]
    return table(header, (_kind_row(name, rule) for name, rule in rules.kinds.items()))


def _kind_row(name: str, rule: ImageKind) -> list[str]:
    return [
        code(name),
        escape(rule.description),
        f"{rule.count:,}",
        "all subjects" if rule.shared else "one subject",
        str(rule.repetitions),
        code(rule.source),
        codes(rule.regex.groupindex),
    ]


def _table(key: str, value: str, rows: dict[str, str] | dict[str, int]) -> str:
    return table([key, value], ([code(name), escape(f"{one}")] for name, one in rows.items())) if rows else ""
