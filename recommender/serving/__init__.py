"""Related lists in Redis: keys and values, the lookup, the publisher and the embedded store."""
