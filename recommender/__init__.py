"""Related-items engine: catalogue and interactions in, related lists in Redis out.

`Shop` takes data frames. It is imported when it is first used, because a storefront that looks
lists up has neither pandas nor the other libraries of a build.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # without an `else`, a misspelt name would have the type of every name
    from recommender.library import Shop
else:

    def __getattr__(name: str) -> object:
        """Import `Shop`. Raises: MissingExtra where the extra `build` is not installed."""
        if name != "Shop":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            from recommender.library import Shop
        except ModuleNotFoundError as error:
            from recommender.errors import MissingExtra

            raise MissingExtra(
                f"{error.name} is not installed: pip install 'recommender[build]'"
            ) from error
        return Shop


__all__ = ["Shop"]
