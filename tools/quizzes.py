"""The quizzes: book/workshop/quiz.md, written from workshop/quiz.yml.

    python tools/quizzes.py

Plain radio buttons: an answer shows its reason by a rule of the style sheet, so the page needs no kernel and works by
keyboard. A few lines of script say the reason to a screen reader and count.
"""

import sys
from html import escape
from pathlib import Path

import sections
import yaml

ROOT = Path(__file__).resolve().parent.parent
FRONT = """<!-- Written by tools/quizzes.py from workshop/quiz.yml: edit that. -->

# Five questions a part

Choose an answer, and it says at once whether it is right, and why. Nothing is sent anywhere. With the keyboard,
*Tab* goes to a question and the arrows go through its answers.

<link rel="stylesheet" href="../../_static/quiz/quiz.css">
<script defer src="../../_static/quiz/quiz.js"></script>
"""


def load(text: str) -> list[dict]:
    return yaml.safe_load(text)


def complaints(parts: list[dict], read=sections.chapter) -> list[str]:
    """What does not fit, as sentences."""
    found = []
    for part in parts:
        if len(part["questions"]) != 5:
            found.append(f"{part['part']}: {len(part['questions'])} questions instead of 5")
        for question in part["questions"]:
            said, answers = question["ask"], question["answers"]
            if sum(bool(answer.get("right")) for answer in answers) != 1 or len(answers) < 3:
                found.append(f"{said} needs three answers, and one that is right")
            found += [f"{said} {answer['text']!r} gives no reason" for answer in answers if not answer.get("says")]
            if question["section"] not in {part.title for part in sections.cut(read(question["page"]))}:
                found.append(f"{said} {question['page']} has no section {question['section']!r}")
    places = [
        [answer.get("right", False) for answer in q["answers"]].index(True) for part in parts for q in part["questions"]
    ]
    if max(map(places.count, places)) > 0.6 * len(places):
        found.append("the right answer stands too often in the same place")
    return found


def of_question(question: dict, name: str) -> str:
    """The HTML of a question; `name` tells it from the others."""
    anchor = sections.Section(question["section"]).anchor
    link = f'<a href="../{question["page"]}.html#{anchor}">Read again</a>'
    lines = [f'<fieldset class="quiz"><legend>{escape(question["ask"])}</legend>']
    for number, answer in enumerate(question["answers"]):
        right = "right" if answer.get("right") else "wrong"
        begin = "Right." if right == "right" else "No."
        lines.append(
            f'<div class="{right}"><input type="radio" name="{name}" id="{name}-{number}">'
            f'<label for="{name}-{number}">{escape(answer["text"])}.</label>'
            f'<p class="why"><b>{begin}</b> {escape(answer["says"])} {link}.</p></div>'
        )
    return "\n".join([*lines, '<p class="said" role="status"></p></fieldset>'])


def render(parts: list[dict]) -> str:
    """The page."""
    text = [FRONT]
    for p, part in enumerate(parts):
        text.append(f"## {part['part']}\n")
        text += [of_question(question, f"q{p}-{q}") + "\n" for q, question in enumerate(part["questions"])]
    return "\n".join(text)


def main(root: Path = ROOT) -> int:
    parts = load((root / "workshop" / "quiz.yml").read_text("utf-8"))
    if found := complaints(parts):
        print("workshop/quiz.yml:", *found, sep="\n  ", file=sys.stderr)
        return 1
    (root / "book" / "workshop" / "quiz.md").write_text(render(parts), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
