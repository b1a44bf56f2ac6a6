"""Makes the book's font for mathematics from New Computer Modern, by hand when a chapter needs a letter it lacks.

    pip install fonttools brotli
    python tools/math_font.py NewCMMath-Book.otf         write book/_static/fonts/mathematics.woff2

It keeps the letters below with all their sizes, and draws their outlines with fewer points: those of the Book weight
were made by a machine, and have ten times as many as they need. No point moves by more than a thousandth of a letter.
"""

import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "book" / "_static" / "fonts" / "mathematics.woff2"
DEVIATION = 0.3, 0.5  # thousandths of an em, going to quadratic curves and back
# An index hangs as low as TeX's under a letter, with or without a tail. Browsers ask the font for that, TeX does not.
AS_IN_TEX = {"SubscriptShiftDown": 170, "SubscriptBaselineDropMin": 50}

ITALIC_LATIN = {chr(k): chr(0x1D44E + k - 97) for k in range(97, 123)} | {
    chr(k): chr(0x1D434 + k - 65) for k in range(65, 91)
}
ITALIC_GREEK = {chr(k): chr(0x1D6FC + k - 0x3B1) for k in range(0x3B1, 0x3CA)}
ITALIC_GREEK |= {chr(k): chr(0x1D6E2 + k - 0x391) for k in range(0x391, 0x3AA) if k != 0x3A2}
# A single letter is italic: browsers put these for what stands in a formula.
ITALIC = ITALIC_LATIN | ITALIC_GREEK | {"h": "ℎ", "ϵ": "𝜖", "ϑ": "𝜗", "ϕ": "𝜙", "ϱ": "𝜚", "ϖ": "𝜛", "∂": "𝜕"}
OTHERS = (
    "".join(chr(k) for k in range(0x20, 0x7F) if chr(k) not in '"#$&@\\^_`') + "ΓΔΘΛΠΣΦΨΩ" + "\xa0¨¯±·×ˆˇ˙˜–‖’…′″"
    "ℂ𝔼ℕℝℤℒ𝒩𝒰𝖳ℓ←→↦⇐⇒⇔⟵⟶⟸⟹⟺∀∂∃∅⌀∇∈∉∏∑−∗∘√∝∞∧∨∩∪∫∼≃≈≔≠≡≤≥≪≫⊆⊕⊗⊙⊤⊥⋅⋆⋮⋯⌈⌉⌊⌋⏟⟨⟩"
)
LETTERS = {*ITALIC.values(), *OTHERS}
INVISIBLE = {"\u2061", "\u2062", "\u2063", "\u2064", "\u200b"}


def unknown(tag: str, text: str, upright: bool = False) -> set[str]:
    """The letters of a part of a formula, such as <mi>x</mi>, that the font does not have."""
    shown = {ITALIC.get(text, text)} if tag == "mi" and len(text) == 1 and not upright else set(text)
    return shown - LETTERS - INVISIBLE - {"\n", "\t"}


def redrawn(font) -> None:
    """Each outline of a font again, with as few points as its shape needs."""
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.qu2cuPen import Qu2CuPen
    from fontTools.pens.t2CharStringPen import T2CharStringPen

    table = font["CFF "].cff
    top, glyphs, made = table.topDictIndex[0], font.getGlyphSet(), {}
    for name in font.getGlyphOrder():
        wide = glyphs[name].width
        extra = None if wide == top.Private.defaultWidthX else wide - top.Private.nominalWidthX
        pen = T2CharStringPen(extra, glyphs)
        there, back = DEVIATION
        glyphs[name].draw(Cu2QuPen(Qu2CuPen(pen, back, all_cubic=True), there))
        made[name] = pen.getCharString(private=top.Private, globalSubrs=table.GlobalSubrs)
    for name, outline in made.items():
        top.CharStrings[name] = outline


def main(source: str) -> None:
    from fontTools import subset

    options = subset.Options(
        flavor="woff2", layout_features=[], hinting=False, desubroutinize=True, notdef_outline=True
    )
    options.drop_tables += ["PfEd", "FFTM"]
    font = subset.load_font(source, options)
    chosen = subset.Subsetter(options)
    chosen.populate(text="".join(LETTERS))
    chosen.subset(font)
    lost = {letter for letter in LETTERS if ord(letter) not in font.getBestCmap()}
    if lost:
        print("The font does not have", " ".join(sorted(lost)))
    redrawn(font)
    for constant, value in AS_IN_TEX.items():
        getattr(font["MATH"].table.MathConstants, constant).Value = value
    subset.save_font(font, str(TARGET), options)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
