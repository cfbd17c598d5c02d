"""What made-up images show, and what people and a language model write about them."""

from __future__ import annotations

from collections.abc import Iterator

from laion_fmri.sandbox import images
from laion_fmri.sandbox.chance import generator

Row = dict[str, object]

_COLUMNS = (
    *("image_name", "caption_idx", "source", "caption"),
    *("origin_collection", "participant_id", "ai_model"),
)
_NOUNS = (
    *("red, rusty bicycle", "wooden table", "street lamp", "dog", "small, striped cup"),
    *("woman in a raincoat", "stack of books", "palm tree", "umbrella", "brick wall"),
)
_PLACES = ("on a beach", "in a quiet street", "in front of a window", "under a bridge", "in a field, at dusk")
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


def things(name: str, seed: int) -> tuple[str, str]:
    """Return the two things that an image shows, the main one first."""
    one, other = generator(seed, "things", name).choice(_NOUNS, 2, replace=False).tolist()
    return images.concept(name) or one, other


def caption_rows(name: str, seed: int) -> Iterator[Row]:
    """Yield the captions of an image, that of the AI first, then those of people from the best on."""
    chance = generator(seed, "captions", name)
    one, other = map(_with_article, things(name, seed))
    texts = [
        _sentence(_SENTENCES[n], one=one, other=other, place=str(chance.choice(_PLACES)))
        for n in chance.permutation(len(_SENTENCES))
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
