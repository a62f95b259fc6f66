"""The one error of this package."""


class FixtureDataError(Exception):
    """Data that is missing, differs from what is expected, or could not be fetched."""
