"""Pages that belong to no folder of the code, and what makes the site of all pages."""
