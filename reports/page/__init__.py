"""The page, its tables, and the same as data."""
