"""Figures as inline SVG: their colours, and the element alone, for a page that needs no more.

:mod:`~datadeed.reports.figures` has the same beside pictures of datasets, whose imports take
seconds, and is named by stages that invert models; a test holds it to these.
"""

import re

# Okabe and Ito's palette, without its yellow and black, which vanish on white and on black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
GREY = "#808080"  # readable on white and on black; the page may recolour it


def inline(svg: str, prefix: str) -> str:
    """Only the ``<svg>`` element, without names of schemas, its ids made unique on the page."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r' (?:xmlns(?::xlink)?|version)="[^"]*"', "", svg)
    style = r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>\s*"  # would style the whole page
    svg = re.sub(style, "", svg)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}")
    return re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}', svg)
