"""`recommender train-words`."""

import argparse

from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress
from recommender.evaluation.word_vectors import WordTraining, train_words


def run(options: argparse.Namespace) -> int:
    """Train vectors of the shop's own words, and print how a recipe names them."""
    training = WordTraining(options.dimensions, options.min_texts)
    vectors = train_words(settings_of(options).job(progress), training, options.out)
    count, dimensions = vectors.matrix.shape
    setting = f'in the recipe: text = {{ use = "static", path = "{options.out.resolve()}" }}'
    shown = console()
    shown.print(f"{count:,} words of {dimensions} dimensions in {options.out}")
    shown.print(setting, markup=False, soft_wrap=True)
    return 0
