"""The debugging clinic: a sound patient, twelve bugs of one line each, and the checks that find them.  [chapter 15]"""

from ddpm_core.book.clinic.bugs import BUGS, NAMES, Bug, by_name, diff, planted, source
from ddpm_core.book.clinic.checks import CHECKS, Check, Exact, Oracle, examine
from ddpm_core.book.clinic.strangers import FUNCTIONS, stranger

__all__ = [
    "BUGS", "CHECKS", "FUNCTIONS", "NAMES", "Bug", "Check", "Exact", "Oracle", "by_name", "diff", "examine", "planted",
    "source", "stranger",
]  # fmt: skip
