"""Value types, protocols and arithmetic that all other packages share."""
