"""Is it any good? A classifier and the Frechet distance judge drawn pictures, the bound judges the likelihood."""
