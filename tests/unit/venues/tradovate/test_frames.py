"""Frames of the socket: what has sense is read, what has none says so and quotes nothing."""

import pytest

from neuratrade.venues.tradovate.frames import (
    LARGEST_BYTES,
    Closing,
    Garbled,
    Item,
    Sign,
    read_frame,
    request_frame,
)


def test_a_request_is_four_lines() -> None:
    assert request_frame("authorize", 0, body="TOKEN") == "authorize\n0\n\nTOKEN"
    assert request_frame("contract/find", 2, "name=ESZ6") == "contract/find\n2\nname=ESZ6\n"


def test_signs_answers_events_and_the_goodbye_are_told_apart() -> None:
    assert read_frame("o") is Sign.OPENED
    assert read_frame("h") is Sign.BEAT
    assert read_frame('c[3000,"Go away!"]') == Closing("Go away! (3000)")
    (answer, event) = read_frame('a[{"i":3,"s":200,"d":{"orderId":7}},{"e":"props","d":{}}]')  # type: ignore[misc]
    assert isinstance(answer, Item)
    assert isinstance(event, Item)
    assert (answer.i, answer.s, bytes(answer.d)) == (3, 200, b'{"orderId":7}')
    assert event.e == "props"


def test_a_refusal_for_load_has_no_words_of_its_own() -> None:
    (item,) = read_frame('a[{"s":429,"i":4}]')  # type: ignore[misc]
    assert isinstance(item, Item)
    assert (item.i, item.s, bytes(item.d)) == (4, 429, b"null")


def test_an_item_without_sense_spoils_only_itself() -> None:
    first, bad, last = read_frame('a[{"i":1,"s":200},{"i":"one"},{"i":2,"s":200}]')  # type: ignore[misc]
    assert isinstance(first, Item)
    assert isinstance(last, Item)
    assert isinstance(bad, Garbled)
    assert (first.i, last.i) == (1, 2)


def test_a_goodbye_that_cannot_be_read_is_a_goodbye() -> None:
    assert isinstance(read_frame("c["), Closing)


@pytest.mark.parametrize(
    "text", ["", "x", "hh", "a", "a{}", 'a[{"i":', "a[secret-word", "[]", '{"i":1}', "a" + "[" * 100_000]
)
def test_what_has_no_sense_is_said_to_have_none_and_is_not_quoted(text: str) -> None:
    with pytest.raises(Garbled) as caught:
        read_frame(text)
    assert "secret-word" not in str(caught.value)


def test_a_frame_that_is_too_large_is_not_looked_into() -> None:
    with pytest.raises(Garbled, match="too large"):
        read_frame("a[" + " " * LARGEST_BYTES + "]")
