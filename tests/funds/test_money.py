import pytest
from hypothesis import given
from hypothesis import strategies as st

from funds.money import (
    NotAnAmount,
    cents_floor,
    fee_micros,
    format_estimate,
    format_micros,
    format_micros_floor,
    micros_of_cents,
    parse_amount,
)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2", 2_000_000),
        ("2.5", 2_500_000),
        ("2,50", 2_500_000),
        (" 2.50 ", 2_500_000),
        ("EUR 2.50", 2_500_000),
        ("2,50 €", 2_500_000),
        ("€3", 3_000_000),
        ("0.01", 10_000),
        ("0", 0),
        ("007", 7_000_000),
    ],
)
def test_what_people_type_is_an_amount(text, micros):
    assert parse_amount(text, "EUR") == micros


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "-0.01",
        "+1",
        "1e9",
        "1E2",
        "NaN",
        "Infinity",
        "inf",
        "2.505",
        "2,505",
        "1.000",
        "1,000.00",
        "1 000",
        "0x10",
        "1_000",
        "\u0663",
        "\uff12",
        "2.",
        ".5",
        "2..5",
        "5 USD",
        "$5",
        "99999999999",
        "2.50\n3",
        "one",
    ],
)
def test_anything_else_is_refused_with_a_sentence(text):
    with pytest.raises(NotAnAmount, match=r"[A-Z].*\."):
        parse_amount(text, "EUR")


@given(st.integers(0, 10**9 * 100))
def test_a_printed_amount_is_read_back_as_itself(cents):
    micros = micros_of_cents(cents)
    assert parse_amount(format_micros(micros, "EUR").replace(",", ""), "EUR") == micros


def test_parts_smaller_than_a_cent_are_printed_in_full():
    assert format_micros(285_714, "EUR") == "EUR\u00a00.285714"
    assert format_micros(-1_000_000_000, "EUR") == "-EUR\u00a01,000.00"


def test_a_balance_is_printed_in_whole_cents_rounded_down():
    assert format_micros_floor(1_999_999, "EUR") == "EUR\u00a01.99"


def test_an_estimate_is_in_whole_cents_unless_it_is_below_one():
    assert format_estimate(3_333_333, "EUR") == "EUR\u00a03.33"
    assert format_estimate(9_999, "EUR") == "EUR\u00a00.009999"


@given(st.integers(0, 10**15))
def test_the_unpayable_rest_is_below_one_cent(micros):
    assert 0 <= micros - micros_of_cents(cents_floor(micros)) < 10_000


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_a_fee_is_rounded_down_in_the_creators_favour(gross, basis_points):
    fee = fee_micros(gross, basis_points)
    assert fee * 10_000 <= gross * basis_points < (fee + 1) * 10_000
