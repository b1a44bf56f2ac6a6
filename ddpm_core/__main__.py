"""python -m ddpm_core: see `ddpm_core.cli`."""

import sys

from ddpm_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
