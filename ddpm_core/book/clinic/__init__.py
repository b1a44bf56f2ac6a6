"""The debugging clinic: a sound patient, twelve bugs of one line each, and the checks that find them.  [chapter 15]"""

from ddpm_core.book.clinic.bugs import BUGS, NAMES, Bug, diff, named, planted, source

__all__ = ["BUGS", "NAMES", "Bug", "diff", "named", "planted", "source"]
