"""The nearest words, judged by comparing every word with the wrong one."""

from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laion_fmri.catalog.words import nearest

WORDS = st.text("aAbc1_", max_size=6)


def one_by_one(wrong, right, most):
    likeness = {word: SequenceMatcher(None, wrong.lower(), word.lower()).ratio() for word in right}
    near = [word for word in likeness if likeness[word] >= 0.6]
    return sorted(near, key=likeness.__getitem__, reverse=True)[:most]


@given(WORDS, st.lists(WORDS, max_size=30), st.integers(1, 4))
def test_the_nearest_words_are_those_of_comparing_all(wrong, right, most):
    assert nearest(wrong, right, most) == one_by_one(wrong, right, most)


@pytest.mark.parametrize(
    "wrong", ["shared_12rep_cluster_123_i4.jpg", "cluster_77_i1", "SHARED_12REP_CLUSTER_29_I0.JPG"]
)
def test_the_nearest_of_many_names_that_are_all_alike(wrong):
    names = [f"shared_12rep_cluster_{n}_i{n % 7}.jpg" for n in range(0, 3000, 3)]
    assert nearest(wrong, names) == one_by_one(wrong, names, 3)


def test_few_of_many_names_are_compared_letter_by_letter(monkeypatch):
    compared = []

    class Counting(SequenceMatcher):
        def ratio(self):
            compared.append(self.b)
            return super().ratio()

    monkeypatch.setattr("laion_fmri.catalog.words.SequenceMatcher", Counting)
    names = [f"shared_12rep_cluster_{n}_i{n % 7}.jpg" for n in range(5000)]
    assert nearest("shared_12rep_cluster_4321_i.jpg", names, most=1) == ["shared_12rep_cluster_4321_i2.jpg"]
    assert 0 < len(compared) < len(names) / 10
