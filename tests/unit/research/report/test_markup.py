"""Markup: everything typed is text, every figure reads."""

import json
import math
from decimal import Decimal

import pytest

from neuratrade.research.report.markup import Html, exact, fill, json_block, number, percent, table, text

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\u2028{}"


def test_a_value_is_escaped_and_markup_is_not_escaped_again() -> None:
    assert text("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert fill("<i>{}</i>", fill("<b>{}</b>", "<")) == "<i><b>&lt;</b></i>"
    assert isinstance(fill("{}", "x"), Html)


def test_braces_in_a_value_are_no_places_to_fill() -> None:
    assert fill("<p>{}</p>", "{} {0} {x}") == "<p>{} {0} {x}</p>"


def test_no_value_ends_a_block_of_data_and_every_value_comes_back() -> None:
    block = json_block("data", {HOSTILE: [HOSTILE, 1.5, None]})
    inside = block.removeprefix('<script type="application/json" id="data">').removesuffix("</script>")
    assert "<" not in inside
    assert "\u2028" not in inside
    assert json.loads(inside) == {HOSTILE: [HOSTILE, 1.5, None]}


def test_a_table_escapes_its_caption_its_heads_and_its_cells() -> None:
    made = table(HOSTILE, (HOSTILE, "n"), [(HOSTILE, Html("<b>1</b>"))], "tn")
    assert "<img" not in made
    assert "</script>" not in made
    assert '<td class="n"><b>1</b></td>' in made


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1234567.891, "1,234,567.89"),
        (-0.5, "\N{MINUS SIGN}0.50"),
        (-0.001, "0.00"),
        (0, "0.00"),
        (Decimal("1E+3"), "1,000.00"),
        (None, "–"),
        (math.nan, "–"),
        (-math.inf, "–"),
        (Decimal("NaN"), "–"),
        (1.5e300, "1.500 × 10^300"),
        (Decimal("-2E+40"), "\N{MINUS SIGN}2.000 × 10^40"),
    ],
)
def test_a_figure_reads_whatever_it_is(value: float | Decimal | None, told: str) -> None:
    assert number(value) == told


def test_only_what_is_above_zero_gets_a_plus() -> None:
    assert [number(v, signed=True) for v in (1, 0, -1, 0.001)] == [
        "+1.00",
        "0.00",
        "\N{MINUS SIGN}1.00",
        "0.00",
    ]
    assert percent(0.1234, signed=True) == "+12.34\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.10", "0.1"),
        ("100", "100"),
        ("1E+2", "100"),
        ("-1234.50", "\N{MINUS SIGN}1,234.5"),
        ("0.00000001", "0.00000001"),
        ("0", "0"),
        ("0.00", "0"),
        ("1E+30", "1.000 × 10^30"),
    ],
)
def test_a_price_has_the_digits_it_has_and_no_others(value: str, told: str) -> None:
    assert exact(Decimal(value)) == told


def test_no_price_is_a_dash() -> None:
    assert exact(None) == "–"
