"""Exercises that check themselves: `check("1.1", answer)`. One module a chapter says what each asks for."""

from ddpm_core.book.exercises.checking import CHAPTERS, check, of_chapter

__all__ = ["CHAPTERS", "check", "of_chapter"]
