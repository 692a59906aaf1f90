"""The API and the admin API of Shopfleet: one code base, told apart by SHOP_MODE."""
