"""From neighbours to related lists: candidates, rankers, filters and the choice among them."""
