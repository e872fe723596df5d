"""Discovery of a customer's estate: import, map, cleanse, inventory, analyse."""
