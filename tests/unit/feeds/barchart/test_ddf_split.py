"""Messages are the same however the stream is cut, whatever bytes their times hold."""

import random

from hypothesis import given
from hypothesis import strategies as st

from neuratrade.feeds.barchart.ddf import parse
from neuratrade.feeds.barchart.ddf_messages import Trade
from neuratrade.feeds.barchart.ddf_split import CUT_SHORT, ENDLESS, JUNK, MOST_CHARACTERS, Broken, Splitter
from tests.unit.feeds.barchart.ddf_dice import Dice

CHARACTERS = "\x01\x02\x03\x14\n\r%+-#2ESZ6,7A0@UJtOK \xff<>"


def in_pieces(text: str, cuts: random.Random, longest: int) -> list[str]:
    splitter, found, at = Splitter(), list[str](), 0
    while at < len(text):
        length = cuts.randint(1, longest)
        found += splitter.feed(text[at : at + length])
        at += length
    return found


def test_a_stream_is_cut_alike_in_one_piece_and_in_any_other() -> None:
    dice, cuts = Dice(3), random.Random(3)
    texts = [dice.message() for _ in range(600)]
    for end in ("\n", "\r\n", "\n\n"):
        stream = "".join(text + end for text in texts)
        whole = Splitter().feed(stream)
        assert whole == texts
        assert not any(isinstance(part, Broken) for part in whole)
        for longest in (1, 9, 200):
            assert in_pieces(stream, cuts, longest) == whole


def test_messages_with_times_need_nothing_between_them() -> None:
    dice = Dice(4)
    texts = [text for text in (dice.message() for _ in range(800)) if text[:2] in ("\x012", "\x01#")]
    stream = "".join(texts)
    assert Splitter().feed(stream + "\n") == texts
    assert in_pieces(stream + "\n", random.Random(4), 30) == texts


@given(st.text(CHARACTERS, max_size=120), st.integers(0, 2**32))
def test_noise_too_is_cut_alike_however_it_comes(text: str, seed: int) -> None:
    assert in_pieces(text, random.Random(seed), 7) == Splitter().feed(text)


def test_etx_newline_and_soh_in_a_time_end_nothing() -> None:
    for low in ("\x03", "\n", "\x01", "\r", "\x14", "%", "+"):
        text = f"\x012ESZ6,7\x02AM10690050,2,KG\x03\x14ZKTJO@{low}\x03"
        after = "\x012ESZ6,7\x02AM10690075,1,KG\x03\x14ZKTJO@@@"
        found = in_pieces(text + after, random.Random(1), 3)
        assert found == [text, after]
        message = parse(found[0])
        assert isinstance(message, Trade)
        assert message.local_ns is not None
        assert message.local_ns % 10**9 == (ord(low) + 3 * 256) * 10**6 % 10**9


GOOD = "\x012ESZ6,7\x02AM10690050,2,KG\x03\x14ZKTJO@@@\n"


def test_a_message_that_breaks_off_costs_no_other() -> None:
    for broken, kinds in {
        "\x012ESZ6,7\x02AM106900": [CUT_SHORT],
        "\x012ESZ6,7\x02AM10690050,2,KG\n": [CUT_SHORT],
        "%<QUOTE symbol=": [CUT_SHORT],
        "rubbish \x02 of any kind\n": [JUNK],
        "rubbish\nand more": [JUNK, JUNK],
    }.items():
        found = Splitter().feed(broken + GOOD)
        assert [part for part in found if isinstance(part, Broken)] == [Broken(kind) for kind in kinds]
        assert found[-1] == GOOD[:-1]


def test_half_a_time_is_not_filled_up_from_the_next_message() -> None:
    found = Splitter().feed("\x012ESZ6,7\x02AM10690050,2,KG\x03\x14ZKT" + GOOD)
    assert found[-1] == GOOD[:-1]
    assert found[0].endswith("\x03\x14")


def test_what_never_ends_is_given_up_and_no_more_than_a_bound_is_kept() -> None:
    splitter = Splitter()
    found = splitter.feed("\x012ESZ6")
    for _ in range(100):
        found += splitter.feed("x" * 10_000)
        assert len(splitter._rest) <= MOST_CHARACTERS
    assert found == [Broken(ENDLESS)]
    assert splitter.feed(GOOD)[-1] == GOOD[:-1]


def test_a_message_that_is_too_long_is_left_out_in_one_piece_and_in_many() -> None:
    for text in (
        "%<CV data=" + "1" * MOST_CHARACTERS,
        "\x012ESZ6," + "1" * MOST_CHARACTERS,
        "j" * (MOST_CHARACTERS + 9),
    ):
        stream = f"{text}\n{GOOD}"
        expected = [Broken(ENDLESS), GOOD[:-1]]
        assert Splitter().feed(stream) == expected
        assert in_pieces(stream, random.Random(5), 90_000) == expected
