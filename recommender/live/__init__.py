"""Changes to live lists between builds: refresh, overlays and the review of rules."""
