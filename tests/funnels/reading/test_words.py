"""Texts keep the number that they got first, whoever asks, in whatever slices and threads they come."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from funnels.reading.words import UNKNOWN, Words


def test_a_text_keeps_its_number_and_null_has_none() -> None:
    known = Words()
    assert known.codes(pa.array(["b", None, "", "a", "b"], pa.string())).tolist() == [0, UNKNOWN, 1, 2, 0]
    assert known.codes(pa.array(["x", "a", "c", "ü", "c"], pa.string()).slice(1, 3)).tolist() == [2, 3, 4]
    assert known.codes(pa.array([], pa.string())).tolist() == []
    assert (len(known), known.texts.to_pylist()) == (5, ["b", "", "a", "c", "ü"])


def test_threads_that_meet_the_same_texts_at_once_give_each_one_number() -> None:
    known = Words()
    texts = [pa.array([f"account {(number * step) % 5_000}" for number in range(5_000)]) for step in (1, 3, 7, 11)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(known.codes, texts))
    assert len(known) == 5_000
    for some, codes in zip(texts, found, strict=True):
        assert known.texts.take(pa.array(codes)).to_pylist() == some.to_pylist()
    assert np.array_equal(known.codes(known.texts), np.arange(5_000))
