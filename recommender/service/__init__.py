"""Related lists over HTTP, for shops that do not run Python."""
