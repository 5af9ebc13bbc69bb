"""From dated images to a store of pairs: what `landcast prepare` runs."""
