"""What each exercise asks for, one module a chapter: `CHECKS` maps its number to an `Exercise`."""
