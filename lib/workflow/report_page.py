"""The executed notebook as one HTML page, in which nothing that came from data or parameters can act.

What a notebook displays as Markdown may quote file names, labels and parameters. The page keeps the markup that its
text and tables need and shows everything else as text. It opens offline: it asks for nothing.
"""

import re
from pathlib import Path

import bleach
from bleach.css_sanitizer import CSSSanitizer
from nbconvert import HTMLExporter

_TAGS = (
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("hr", "i", "li", "ol", "p", "pre", "span", "strong", "sub", "sup"),
    *("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "ul"),
)
_ATTRIBUTES = {
    "*": ["class", "id", "style"],
    "a": ["href", "title"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
}
_STYLES = CSSSanitizer(allowed_css_properties=["text-align"])

_NO_NETWORK = {name: "" for name in HTMLExporter.class_trait_names() if name.endswith("_url")}
"""Scripts that nbconvert would fetch: for mathematics, diagrams and live widgets, of which our notebooks have none."""


def report(executed: Path) -> str:
    """The page, code included, without the `In [n]` margins."""
    exporter = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True, sanitize_html=True, **_NO_NETWORK)
    # nbconvert's own knows neither paragraphs nor headings.
    exporter.register_filter("clean_html", _clean)
    page, _ = exporter.from_filename(executed)
    return re.sub(r'<script src="">\s*</script>', "", page)


def _clean(text: str | bytes) -> str:
    text = text.decode() if isinstance(text, bytes) else str(text)
    return bleach.clean(
        text, tags=_TAGS, attributes=_ATTRIBUTES, protocols=("http", "https", "mailto"), css_sanitizer=_STYLES
    )
