"""Filters that say how money is written in a locale, by the data of Unicode's CLDR."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleFilterError
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.numbers import get_currency_precision, get_currency_symbol, list_currencies

# Prices are kept with this many decimals.
_DECIMALS = 2
# The digits that the shop writes; some locales have others, with separators of their own.
_DIGITS = "latn"
_NO_BREAK_SPACE = "\u00a0"
# CLDR's minimumGroupingDigits where it is not what the parent locale says; babel does not carry it (1234, but 12.345).
_MINIMUM_GROUPING = {
    **dict.fromkeys(
        ["be", "bg", "es", "et", "hu", "hy", "ia", "ie", "it", "ka", "lv", "pl", "pt_PT", "ru_UA", "sl", "sq"], 2
    ),
    "es_419": 1,
    "pt_AO": 1,
    "root": 1,
}


def _locale(identifier: str) -> Locale:
    return Locale.parse(identifier.replace("-", "_"))


def _and_parents(locale: Locale) -> Iterator[str]:
    """Walk the chain that a locale inherits from, as CLDR has it."""
    parents = get_global("parent_exceptions")
    identifier = str(locale)
    while identifier != "root":
        yield identifier
        shorter = identifier.rpartition("_")[0] or "root"
        identifier = parents.get(identifier, shorter)
    yield identifier


def _space_beside(end_of_symbol: str) -> str:
    """Keep letters apart from the number where the locale's pattern is made for a sign (CLDR's currencySpacing)."""
    return "" if unicodedata.category(end_of_symbol)[0] in "SZ" else _NO_BREAK_SPACE


def money_faults(currency: str, locale: str) -> list[str]:
    """Look for a currency or a locale that prices cannot be written in.

    Args:
        currency: Meant to be an ISO 4217 code.
        locale: Meant to be a locale's identifier.

    Returns:
        One sentence with the remedy for each fault; empty when there is none.
    """
    faults: list[str] = []
    if currency not in list_currencies():
        faults.append(f"catalogue_currency is '{currency}': write an ISO 4217 code, such as EUR")
    elif (decimals := get_currency_precision(currency)) != _DECIMALS:
        faults.append(
            f"catalogue_currency is {currency}, which is counted with {decimals} decimals: choose a currency with "
            f"{_DECIMALS}, as prices are kept with {_DECIMALS}"
        )
    try:
        _locale(locale)
    except (AttributeError, ValueError, UnknownLocaleError):
        faults.append(
            f"catalogue_locale is '{locale}': write a language and, where it matters, a country, such as de_AT"
        )
    return faults


def money_format(currency: str, locale: str) -> dict[str, str | int]:
    """Say how amounts of a currency are written.

    Args:
        currency: ISO 4217 code.
        locale: Language and country, such as `en_IE`.

    Returns:
        `symbol`; `prefix` and `suffix` of a number, with the symbol and its space; the `decimal` and `group`
        separators; `primary` and `secondary`, the sizes of the last group and of those before it; and `minimum`, how
        many digits must stand before the last group for groups to be made at all.

    Raises:
        AnsibleFilterError: Prices cannot be written so.
    """
    faults = money_faults(currency, locale)
    if faults:
        raise AnsibleFilterError("; ".join(faults))
    known = _locale(locale)
    pattern = known.currency_formats["standard"]
    symbols = known.number_symbols[_DIGITS]
    symbol = get_currency_symbol(currency, known)
    prefix, suffix = pattern.prefix[0], pattern.suffix[0]
    if prefix.endswith("¤"):
        prefix += _space_beside(symbol[-1])
    if suffix.startswith("¤"):
        suffix = _space_beside(symbol[0]) + suffix
    primary, secondary = pattern.grouping
    return {
        "symbol": symbol,
        "prefix": prefix.replace("¤", symbol),
        "suffix": suffix.replace("¤", symbol),
        "decimal": symbols.get("currencyDecimal", symbols["decimal"]),
        "group": symbols.get("currencyGroup", symbols["group"]),
        "primary": primary,
        "secondary": secondary,
        "minimum": next(_MINIMUM_GROUPING[name] for name in _and_parents(known) if name in _MINIMUM_GROUPING),
    }


class FilterModule:
    """Ansible's entry point to the filters."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"money_format": money_format, "money_faults": money_faults}
