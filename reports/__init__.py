"""From plans and records to tables, figures and a page; trains nothing, reads no study code."""
