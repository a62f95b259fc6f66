"""From texts and interactions to item vectors and the index over them."""
