"""The words that have a meaning of their own in log lines, and where in a token they count."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.words import (
    BOOLEAN_WORDS,
    FUNCTION_WORDS,
    IS_BOOLEAN,
    IS_NAMING,
    IS_POLAR,
    IS_RECORD,
    IS_UNIT,
    NAMING_WORDS,
    NEITHER,
    POLAR_WORDS,
    UNIT_WORDS,
    kind_of_token,
)


def kind(token: str) -> int:
    raw = token.encode()
    with np.errstate(over="ignore"):  # plain Python says so when a hash wraps round
        return int(kind_of_token(np.frombuffer(raw, np.uint8), 0, len(raw)))


def test_every_word_is_found_in_both_cases_and_in_punctuation() -> None:
    for words, expected in ((POLAR_WORDS, IS_POLAR), (BOOLEAN_WORDS, IS_BOOLEAN), (NAMING_WORDS, IS_NAMING)):
        for word in words.split():
            assert [kind(form) for form in (word, word.upper(), f"({word}),", f"a.{word}")] == [expected] * 4, word


def test_no_word_is_in_two_lists() -> None:
    lists = [set(words.split()) for words in (POLAR_WORDS, BOOLEAN_WORDS, NAMING_WORDS, UNIT_WORDS, FUNCTION_WORDS)]
    doubled = {word for k, one in enumerate(lists) for other in lists[k + 1 :] for word in one & other}
    assert doubled == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("started", "stopped"),
        ("success", "failed"),
        ("above", "below"),
        ("up", "down"),
        ("allow", "deny"),
        ("enabled", "disabled"),
        ("connected", "disconnected"),
        ("accepted", "rejected"),
        ("opened", "closed"),
        ("healthy", "unhealthy"),
        ("granted", "revoked"),
        ("online", "offline"),
        ("available", "unavailable"),
        ("locked", "unlocked"),
        ("increased", "decreased"),
        ("paused", "resumed"),
    ],
)
def test_words_that_turn_a_meaning_round_are_polar(one: str, other: str) -> None:
    assert kind(one) == kind(other) == IS_POLAR


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("state=up", IS_POLAR),
        ("up=state", NEITHER),  # what stands before `=` is a name
        ("isOpen=true", IS_BOOLEAN),
        ("a=true,b=false,c=true", IS_RECORD),
        ("a=true,state=down,c=true", IS_POLAR),
        ("KB),", IS_UNIT),
        ("ups", NEITHER),
        ("up7", NEITHER),
        ("", NEITHER),
    ],
)
def test_what_a_token_says(token: str, expected: int) -> None:
    assert kind(token) == expected
