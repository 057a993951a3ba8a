"""What a person sees of a headless Neovim: attaches as a terminal would, and draws the grid of cells as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import pynvim
from PIL import Image, ImageDraw, ImageFont

FONT_SIZE = 16
CELL_WIDTH, CELL_HEIGHT = 10, 21
MARGIN = 8


class Cell(NamedTuple):
    """One cell of the grid, with the id of its highlighting."""

    text: str = " "
    highlight: int = 0


class Screen:
    """The grid of Neovim's line-grid protocol (`:help ui-linegrid`), as far as one still picture needs it."""

    def __init__(self, socket: Path, columns: int, rows: int) -> None:
        self._cells = [[Cell()] * columns for _ in range(rows)]
        self._highlights: dict[int, dict[str, Any]] = {0: {}}
        self._colors = {"foreground": 0xFFFFFF, "background": 0}
        self._cursor = (0, 0)
        api = pynvim.attach("socket", path=str(socket))
        try:
            api.ui_attach(columns, rows, rgb=True, ext_linegrid=True)
            while not self._take(api.next_message()):
                pass
            api.ui_detach()
        finally:
            api.close()

    @property
    def text(self) -> str:
        return "\n".join("".join(cell.text for cell in row).rstrip() for row in self._cells)

    def save(self, path: Path) -> None:
        """Draw it as a PNG."""
        font = ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"), FONT_SIZE)
        size = (len(self._cells[0]) * CELL_WIDTH + 2 * MARGIN, len(self._cells) * CELL_HEIGHT + 2 * MARGIN)
        image = Image.new("RGB", size, rgb(self._colors["background"]))
        draw = ImageDraw.Draw(image)
        for row, cells in enumerate(self._cells):
            for column, cell in enumerate(cells):
                self._draw(draw, font, row, column, cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.quantize(64).save(path, optimize=True)

    def _draw(self, draw: ImageDraw.ImageDraw, font: Any, row: int, column: int, cell: Cell) -> None:
        attributes = self._highlights.get(cell.highlight, {})
        colors = [attributes.get(name, self._colors[name]) for name in ("foreground", "background")]
        if bool(attributes.get("reverse")) != ((row, column) == self._cursor):
            colors.reverse()
        x, y = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT
        if colors[1] != self._colors["background"]:
            draw.rectangle((x, y, x + CELL_WIDTH - 1, y + CELL_HEIGHT - 1), rgb(colors[1]))
        draw.text((x, y + 1), cell.text, rgb(colors[0]), font)

    def _take(self, message: list[Any]) -> bool:
        """Whether the picture is complete."""
        _, method, batches = message
        is_complete = False
        for name, *calls in batches if method == "redraw" else ():
            for call in calls:
                if name == "grid_line":
                    self._put(*call[1:4])
                elif name == "grid_cursor_goto":
                    self._cursor = (call[1], call[2])
                elif name == "default_colors_set":
                    self._colors = {"foreground": call[0], "background": call[1]}
                elif name == "hl_attr_define":
                    self._highlights[call[0]] = call[1]
            is_complete = is_complete or name == "flush"
        return is_complete and any(cell.text.strip() for row in self._cells for cell in row)

    def _put(self, row: int, column: int, cells: list[list[Any]]) -> None:
        """Cells without a highlight have that of their neighbour; a count repeats them."""
        highlight = 0
        for text, *more in cells:
            highlight = more[0] if more else highlight
            for _ in range(more[1] if len(more) > 1 else 1):
                self._cells[row][column] = Cell(text, highlight)
                column += 1


def rgb(color: int) -> tuple[int, int, int]:
    return color >> 16 & 255, color >> 8 & 255, color & 255
