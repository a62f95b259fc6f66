"""HTML pages: reports and maps, each one file that works offline."""
