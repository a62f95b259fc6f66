"""The terms of bundles in a rule file."""

from functools import partial

import yaml

from recommender.merchandising.rule_set import BUNDLE_KEYS, BundleRules, category, share
from recommender.merchandising.yaml_nodes import Wrong, line_of, mapping_of, text_of, value_of


def bundle_rules(node: yaml.Node) -> BundleRules:
    """The terms below `bundles:`. Raises: Wrong."""
    fields = mapping_of(node, BUNDLE_KEYS, "bundles")
    shares = {
        name: value_of(fields[name], partial(share, name))
        for name in ("discount", "min_score")
        if name in fields
    }
    return BundleRules(
        **shares,
        placement=text_of(fields["placement"]) if "placement" in fields else "",
        categories=_categories(fields["categories"]) if "categories" in fields else {},
        line=line_of(node),
    )


def _categories(node: yaml.Node) -> dict[str, float]:
    """A discount by category."""
    if not isinstance(node, yaml.MappingNode):
        raise Wrong(node, "categories is a table of `Garden > Tools: 15%` lines")
    found: dict[str, float] = {}
    for key, value in node.value:
        path = value_of(key, category)
        if path in found:
            raise Wrong(key, f"{path} stands twice")
        found[path] = value_of(value, partial(share, path))
    return found
