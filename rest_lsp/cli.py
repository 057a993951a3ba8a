"""`rest-lsp`.  Each window starts `serve`, which must cost next to nothing: all else is imported later."""

from __future__ import annotations

import sys
from typing import NoReturn

from rest_lsp.waiting import wait_politely


def main() -> NoReturn:
    """Run the command line."""
    wait_politely()
    if sys.argv[1:2] == ["serve"]:
        from rest_lsp.cli_front import serve_as_front

        serve_as_front(sys.argv[2:])

    from rest_lsp.cli_app import run

    run()


if __name__ == "__main__":
    main()
