"""Fast typing over suggestions that come late: after every key the buffer is what the keys and the suggestions say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.neovim import SCRIPTED_SERVER, Neovim, lua_list
from tests.e2e.phrases import PHRASES, suggest
from tests.e2e.text_model import Recent, Text, press

N_KEYS = 1000
ACCEPT = {"<F2>": "whole", "<F3>": "word", "<F4>": "line"}
KEYMAPS = (
    "{ accept = '<F2>', accept_word = '<F3>', accept_line = '<F4>', next = '<F5>', prev = '<F6>',"
    " dismiss = '<F7>', trigger = '<F8>' }"
)
EDITING = ("<CR>", "<BS>", "<BS>", "<Del>", "<Left>", "<Right>", "<Home>", "<End>", "<Esc>a", "<Space>")
CHOOSING = ("<F5>", "<F6>", "<F7>", "<F8>")
LETTERS = "xf)(é😀"


@pytest.fixture(params=["utf-8", "utf-16"])
def neovim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Neovim]:
    command = (*SCRIPTED_SERVER, "--delays", "--encoding", request.param)
    with Neovim(tmp_path) as neovim:
        neovim.api.command("set nosmarttab noautoindent textwidth=0 noautocomplete")
        for number in range(2, 9):
            neovim.api.command(f"inoremap <F{number}> <Nop>")
        neovim.use_plugin(f"{{ cmd = {lua_list(command)}, keymaps = {KEYMAPS}, debounce_ms = 5 }}")
        neovim.edit("fuzz.txt", "fuzz")
        neovim.wait_for_server()
        neovim.keys("i")
        yield neovim


def typed_keys(text: Text, rng: random.Random) -> list[str]:
    """What a person may press next: often the text that is suggested."""
    kind = rng.random()
    if kind < 0.45:
        suggestion = suggest(text.before, text.after)
        following = (suggestion.text if suggestion else rng.choice(PHRASES))[: rng.randint(1, 4)]
        return ["<Space>" if letter == " " else "<CR>" if letter == "\n" else letter for letter in following]
    if kind < 0.55:
        return [rng.choice(LETTERS)]
    if kind < 0.75:
        return [rng.choice(EDITING)]
    return [rng.choice(CHOOSING)] if kind < 0.8 else [rng.choice(list(ACCEPT))]


def shown(neovim: Neovim) -> Text:
    row, column = neovim.cursor
    return Text(tuple(neovim.lines), row, column)


def test_typing_fast_over_suggestions_never_corrupts_the_buffer(neovim: Neovim) -> None:
    rng, recent, text = random.Random(4), Recent(), Text()
    n_keys = n_taken = n_waited = 0
    recent.saw(text)
    while n_keys < N_KEYS:
        keys = typed_keys(text, rng)
        foretold = suggest(text.before, text.after)
        is_settled = keys[0] in ACCEPT and foretold is not None and rng.random() < 0.3
        if is_settled:
            # Dismissed suggestions stay away until something changes.
            neovim.keys("<F8>")
            neovim.wait(lambda: neovim.ghost is not None, f"nothing is suggested for {text}")
            n_waited += 1
        neovim.keys("".join(keys))
        n_keys += len(keys)
        if keys[0] not in ACCEPT:
            for key in keys:
                text = press(text, key)
                recent.saw(text)
            assert shown(neovim) == text, f"after {keys}"
        else:
            possible = recent.takes(text, ACCEPT[keys[0]])
            found = shown(neovim)
            if found == text:
                assert not is_settled, f"{keys} takes nothing of what is shown for {text}"
            else:
                assert found in possible, f"{keys} makes\n{found}\nof\n{text}\nand not one of\n{list(possible)}"
                recent.accepted(found, possible[found])
                n_taken += 1
                text = found
        if len(text.lines) > 40:
            neovim.keys("<Esc>ggdGi")
            text, recent = Text(), Recent()
            recent.saw(text)
    assert n_taken > N_KEYS / 20
    assert n_waited > N_KEYS / 100
