"""Numbers meet the grid in one place: down is down, whatever the digits."""

from decimal import Decimal

import pytest

from neuratrade.core.model.decimals import ceil_to, decimal_of, floor_to, is_multiple, nearest

D = Decimal


@pytest.mark.parametrize(
    ("value", "step", "down", "near", "up"),
    [
        ("1.2345", "0.01", "1.23", "1.23", "1.24"),
        ("1.235", "0.01", "1.23", "1.24", "1.24"),
        ("1.225", "0.01", "1.22", "1.22", "1.23"),
        ("7", "3", "6", "6", "9"),
        ("-1.2", "1", "-2", "-1", "-1"),
        ("0", "0.5", "0", "0", "0"),
        ("5005.30", "0.25", "5005.25", "5005.25", "5005.50"),
        ("1e-12", "1e-8", "0", "0", "1e-8"),
        ("1e12", "1e-12", "1e12", "1e12", "1e12"),
        (
            "123456789012345678901234567890.7",
            "1",
            "123456789012345678901234567890",
            "123456789012345678901234567891",
            "123456789012345678901234567891",
        ),
        # More digits than arithmetic usually keeps: rounded first, this would have become 1.
        ("0.99999999999999999999999999999999", "1", "0", "1", "1"),
        ("1.00000000000000000000000000000001", "1", "1", "1", "2"),
        ("2.9999999999999999999999999999999", "0.1", "2.9", "3.0", "3.0"),
    ],
)
def test_values_snap_down_near_and_up(value: str, step: str, down: str, near: str, up: str) -> None:
    assert floor_to(D(value), D(step)) == D(down)
    assert nearest(D(value), D(step)) == D(near)
    assert ceil_to(D(value), D(step)) == D(up)


@pytest.mark.parametrize("step", ["0", "-0.01"])
def test_a_step_that_is_none_is_refused(step: str) -> None:
    for snap in (floor_to, ceil_to, nearest, is_multiple):
        with pytest.raises(ValueError, match="step must be above zero"):
            snap(D(1), D(step))


def test_multiples_are_told_from_what_lies_between() -> None:
    assert is_multiple(D("0.3"), D("0.1"))
    assert is_multiple(D("1e15"), D("1e-18"))
    assert not is_multiple(D("0.30000000000000000000000000000000001"), D("0.1"))


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (1e22, "1e22"), (5e-324, "5e-324"), (-2.5, "-2.5"), (3, "3.0")]
)
def test_a_float_becomes_the_decimal_it_is_written_as(value: float, text: str) -> None:
    assert decimal_of(value) == D(text)
    assert float(decimal_of(value)) == value
