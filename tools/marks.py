"""A Sphinx extension: marks on a page what its design treats by name (book/_static/design.css).

An aside is a block quote that begins with **Mind this.** or **Aside.**: it goes to the margin when it is one short
paragraph. Code that is just x_0, eps or x_t has the colour that the formulas give them.
"""

from docutils import nodes

ASIDES = ("Mind this.", "Aside.")
LONGEST = 520  # letters; what is longer stays in the column
SYMBOLS = {
    **dict.fromkeys(["x_0", "x0", "x0_hat"], "of-clean"),
    **dict.fromkeys(["eps", "eps_hat"], "of-noise"),
    **dict.fromkeys(["x_t", "x_T"], "of-noisy"),
}


def is_aside(quote: nodes.block_quote) -> bool:
    """Whether a block quote is an aside that fits into the margin."""
    if len(quote) != 1 or not isinstance(quote[0], nodes.paragraph):
        return False
    first = next((child for child in quote[0] if child.astext().strip()), None)
    return isinstance(first, nodes.strong) and first.astext() in ASIDES and len(quote.astext()) <= LONGEST


def mark(app, doctree):
    for quote in doctree.findall(nodes.block_quote):
        if is_aside(quote):
            quote["classes"].append("margin")
    for code in doctree.findall(nodes.literal):
        if code.astext() in SYMBOLS:
            code["classes"].append(SYMBOLS[code.astext()])


def setup(app):
    app.connect("doctree-read", mark)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
