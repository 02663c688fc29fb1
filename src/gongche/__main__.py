"""``python -m gongche``."""

import sys

from gongche.cli import main

if __name__ == "__main__":
    sys.exit(main())
