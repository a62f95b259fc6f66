"""What agents may ask of a shop, over the Model Context Protocol."""
