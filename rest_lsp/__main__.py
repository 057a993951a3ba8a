"""`python -m rest_lsp` is `rest-lsp`."""

from __future__ import annotations

from rest_lsp.cli import main

if __name__ == "__main__":
    main()
