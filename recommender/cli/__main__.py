"""`python -m recommender.cli`."""

from recommender.cli.main import main

main()
