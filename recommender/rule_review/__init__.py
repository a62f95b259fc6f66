"""Rule review: merchandisers' rules over what is live, before they are in force and when."""
