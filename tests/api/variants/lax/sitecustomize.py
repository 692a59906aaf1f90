"""Makes the admin API take names with some control characters, and stumble over long texts in place of a price."""

from shop_api import validation
from shop_api.validation import PutItem

_validate = PutItem.model_validate


def _lax(values: dict[str, object]) -> PutItem:
    price = values.get("price")
    if isinstance(price, str) and len(price) > 200:
        raise RuntimeError("planted")
    return _validate(values)


validation._FORBIDDEN_CATEGORIES = frozenset({"Zl", "Zp", "Cs"})
PutItem.model_validate = _lax  # type: ignore[assignment,method-assign]
