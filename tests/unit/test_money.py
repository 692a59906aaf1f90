"""How money is written, and which currencies and locales stop a deployment."""

from __future__ import annotations

import pytest
from plugin import load

money = load("filter/money.py")


def written(amount: str, currency: str, locale: str) -> str:
    """Write an amount as the pages do."""
    form = money.money_format(currency, locale)
    whole, cents = amount.split(".")
    groups = []
    if len(whole) >= form["primary"] + form["minimum"]:
        whole, last = whole[: -form["primary"]], whole[-form["primary"] :]
        groups = [last]
        while len(whole) > form["secondary"]:
            whole, last = whole[: -form["secondary"]], whole[-form["secondary"] :]
            groups = [last, *groups]
    number = form["group"].join([whole, *groups]) + form["decimal"] + cents
    return f"{form['prefix']}{number}{form['suffix']}"


@pytest.mark.parametrize(
    ("currency", "locale", "small", "thousands", "millions"),
    [
        ("EUR", "en_IE", "€2.99", "€1,234.50", "€1,234,567.50"),
        ("USD", "en_US", "$2.99", "$1,234.50", "$1,234,567.50"),
        ("EUR", "de_DE", "2,99\u00a0€", "1.234,50\u00a0€", "1.234.567,50\u00a0€"),
        ("EUR", "de-AT", "€\u00a02,99", "€\u00a01.234,50", "€\u00a01.234.567,50"),
        # groups of two before the last one
        ("INR", "en_IN", "₹2.99", "₹1,234.50", "₹12,34,567.50"),
        # a decimal separator of its own for money
        ("CHF", "fr_CH", "2.99\u00a0CHF", "1\u202f234.50\u00a0CHF", "1\u202f234\u202f567.50\u00a0CHF"),
        # no groups below 10,000 in Spain, but in Mexico
        ("EUR", "es", "2,99\u00a0€", "1234,50\u00a0€", "1.234.567,50\u00a0€"),
        ("MXN", "es_MX", "$2.99", "$1,234.50", "$1,234,567.50"),
        ("EUR", "pt_PT", "2,99\u00a0€", "1234,50\u00a0€", "1\u00a0234\u00a0567,50\u00a0€"),
        ("SEK", "sv", "2,99\u00a0kr", "1\u00a0234,50\u00a0kr", "1\u00a0234\u00a0567,50\u00a0kr"),
        ("EUR", "ja", "€2.99", "€1,234.50", "€1,234,567.50"),
        # letters are kept apart from the number where a sign is not
        ("CHF", "en", "CHF\u00a02.99", "CHF\u00a01,234.50", "CHF\u00a01,234,567.50"),
    ],
)
def test_money_is_written_as_the_locale_writes_it(
    currency: str, locale: str, small: str, thousands: str, millions: str
) -> None:
    assert written("2.99", currency, locale) == small
    assert written("1234.50", currency, locale) == thousands
    assert written("1234567.50", currency, locale) == millions


def test_the_default_is_said_in_full() -> None:
    assert money.money_format("EUR", "en_IE") == {
        "symbol": "€",
        "prefix": "€",
        "suffix": "",
        "decimal": ".",
        "group": ",",
        "primary": 3,
        "secondary": 3,
        "minimum": 1,
    }


@pytest.mark.parametrize("currency", ["€", "eur", "EURO", "", None, 978])
def test_what_is_no_currency_is_refused_with_the_remedy(currency: object) -> None:
    (fault,) = money.money_faults(currency, "en_IE")
    assert fault == f"catalogue_currency is '{currency}': write an ISO 4217 code, such as EUR"


@pytest.mark.parametrize(("currency", "decimals"), [("JPY", 0), ("KWD", 3)])
def test_a_currency_that_is_not_counted_with_two_decimals_is_refused(currency: str, decimals: int) -> None:
    (fault,) = money.money_faults(currency, "ja")
    assert f"{currency}, which is counted with {decimals} decimals: choose a currency with 2" in fault
    with pytest.raises(money.AnsibleFilterError, match=currency):
        money.money_format(currency, "ja")


@pytest.mark.parametrize("locale", ["english", "de_XX", "xx", "", None, 5, "de DE"])
def test_what_is_no_locale_is_refused_with_the_remedy(locale: object) -> None:
    (fault,) = money.money_faults("EUR", locale)
    assert fault.startswith(f"catalogue_locale is '{locale}': write a language")


def test_both_are_named_at_once() -> None:
    assert len(money.money_faults("€", "english")) == 2
