"""Mark-up: the text that a browser would show of a shop's HTML."""

import html
import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

UNSHOWN = frozenset({"script", "style", "template", "noscript", "head", "title", "iframe", "svg"})
_INLINE = """
a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd mark q s samp small span
strike strong sub sup time tt u var wbr
"""
INLINE = frozenset(_INLINE.split())
ESCAPED = 3
"""How often mark-up may be escaped: feeds escape the HTML of an editor that escaped it already."""

_TAG = re.compile(r"<[a-zA-Z/!?]")
_SPACE = re.compile(r"\s+")


def shown_text(text: str) -> str:
    """The text without tags, comments, styles and scripts, and with entities decoded.

    Tags other than those of characters separate paragraphs, which are lines of the result. A sign
    `<` that begins no tag stays.
    """
    for _ in range(ESCAPED):
        before = text
        text = _parsed(text) if _TAG.search(text) else html.unescape(text)
        if text == before or not ("<" in text or "&" in text):
            break
    return text


def _parsed(text: str) -> str:
    parts: list[str] = []
    body = LexborHTMLParser(f"<body>{text}").body
    if body is not None and body.first_child is not None:
        _collect(body.first_child, parts)
    return "".join(parts)


def _collect(first: LexborNode, parts: list[str]) -> None:
    """Append the texts of a node, of all behind it and of all in these, without recursion."""
    stack: list[LexborNode | None] = [first]
    closing: list[str] = []
    while stack:
        node = stack.pop()
        if node is None:
            parts.append(closing.pop())
            continue
        if node.next is not None:
            stack.append(node.next)
        if node.is_text_node:
            parts.append(_SPACE.sub(" ", node.text_content or ""))
        elif node.is_element_node and node.tag not in UNSHOWN:
            around = "" if node.tag in INLINE else "\n"
            parts.append(around)
            closing.append(around)
            stack.append(None)
            if node.first_child is not None:
                stack.append(node.first_child)
