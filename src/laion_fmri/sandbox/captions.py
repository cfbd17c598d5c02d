"""What people and a language model write about made-up images."""

from __future__ import annotations

from collections.abc import Iterator

from laion_fmri.sandbox import images
from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.scenes import scene

Row = dict[str, object]

_COLUMNS = (
    *("image_name", "caption_idx", "source", "caption"),
    *("origin_collection", "participant_id", "ai_model"),
)
_SENTENCES = (
    "{one} beside {other}, {place}.",
    "{one} {place}",
    '{one}; the sign next to it reads "open".',
    "Close-up of {one}, with {other} out of focus.",
    "Someone left {one} and {other} {place}.",
    'it says "for sale" on {other} behind {one}',
    "{other} can be seen behind {one}.",
    "{one} at the centre of the picture, {other} at the edge",
)
_COLLECTIONS = ("main1", "main2", "main3", "topup1")
_AI_MODEL = "gpt-5.1"
_PEOPLE = 5000


def caption_rows(name: str, seed: int) -> Iterator[Row]:
    """Yield the captions of an image, that of the AI first, then those of people from the best on."""
    chance = generator(seed, "captions", name)
    shown = scene(name, seed)
    one, other = (_with_article(thing.noun) for thing in shown.things[:2])
    texts = [
        _sentence(_SENTENCES[n], one=one, other=other, place=shown.place) for n in chance.permutation(len(_SENTENCES))
    ]
    if images.is_shared(name) and images.pool(name) != "OOD":
        yield _row(name, 0, "ai", texts.pop(), _AI_MODEL, "", _AI_MODEL)
    people = chance.choice(_PEOPLE, 5 if images.is_shared(name) else 3, replace=False)
    for rank, (person, text) in enumerate(zip(people, texts, strict=False), start=1):
        yield _row(name, rank, "human", text, str(chance.choice(_COLLECTIONS)), f"w{person:04d}", "")


def _row(*values: object) -> Row:
    return dict(zip(_COLUMNS, values, strict=True))


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _sentence(pattern: str, **words: str) -> str:
    text = pattern.format(**words)
    return text[0].upper() + text[1:]
