"""Numbers and configs in words: the only place that makes sentences of them."""
