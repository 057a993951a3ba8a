"""Ghost text in a real Neovim: shown, taken whole, by word and by line, cycled, dismissed, asked for; and the keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.neovim import SCRIPTED_SERVER, Neovim, lua_list

KEYMAPS = (
    "{ accept = '<Tab>', accept_word = '<M-Right>', accept_line = '<M-C-Right>', next = '<M-]>', prev = '<M-[>',"
    " dismiss = '<C-]>', trigger = [[<M-Bslash>]] }"
)
WHOLE = "value = compute(1, 2)"


def start(neovim: Neovim, *, keymaps: str = KEYMAPS, more: str = "") -> None:
    neovim.use_plugin(f"{{ cmd = {lua_list(SCRIPTED_SERVER)}, keymaps = {keymaps}, {more} }}")
    neovim.edit("a.txt", "text")
    neovim.wait_for_server()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Neovim]:
    with Neovim(tmp_path) as neovim:
        yield neovim


@pytest.fixture
def neovim(bare: Neovim) -> Neovim:
    start(bare)
    return bare


def reported(neovim: Neovim) -> list[list[object]]:
    """What the server was told of accepted suggestions."""
    received = [message["params"] for message in neovim.ask("test/received")]
    return [each["arguments"] for each in received if each.get("command") == "rest.accepted"]


def test_ghost_text_appears_behind_the_cursor_and_tab_takes_it(neovim: Neovim) -> None:
    neovim.keys("ival")
    neovim.wait_for_ghost("ue = compute(1, 2)")
    neovim.keys("<Tab>")
    assert (neovim.lines, neovim.cursor, neovim.ghost) == ([WHOLE], (0, len(WHOLE)), None)
    assert reported(neovim) == [["s1", "whole", 18]]
    neovim.keys("<Esc>:write<CR>")
    assert Path(neovim.api.current.buffer.name).read_text(encoding="utf-8") == WHOLE + "\n"


def test_several_lines_are_shown_and_taken(neovim: Neovim) -> None:
    neovim.keys("i1 ")
    neovim.wait_for_ghost("for item in items:\n    total += item\n\n    print(total)")
    neovim.keys("<Tab>")
    assert neovim.lines == ["1 for item in items:", "    total += item", "", "    print(total)"]
    assert neovim.cursor == (3, 16)


def test_typing_what_is_shown_keeps_the_rest_without_a_gap(neovim: Neovim) -> None:
    neovim.keys("i")
    neovim.wait_for_ghost(WHOLE)
    for number, letter in enumerate("val", start=1):
        neovim.keys(letter)
        assert neovim.ghost == WHOLE[number:]


def test_typing_something_else_hides_it_at_once(neovim: Neovim) -> None:
    neovim.keys("i")
    neovim.wait_for_ghost(WHOLE)
    neovim.ask("test/mute")
    neovim.keys("q")
    assert neovim.ghost is None
    neovim.keys("<Tab>")
    assert neovim.lines == ["q\t"]


def test_words_one_after_the_other_without_waiting(neovim: Neovim) -> None:
    neovim.keys("i")
    neovim.wait_for_ghost(WHOLE)
    seen = []
    for _ in range(4):
        neovim.keys("<M-Right>")
        seen.append((neovim.lines[0], neovim.ghost))
    assert seen == [
        ("value", " = compute(1, 2)"),
        ("value =", " compute(1, 2)"),
        ("value = compute", "(1, 2)"),
        ("value = compute(", "1, 2)"),
    ]
    assert [kind for _, kind, _ in reported(neovim)] == ["word"] * 4


def test_lines_one_after_the_other_then_the_rest(neovim: Neovim) -> None:
    neovim.keys("i1 ")
    neovim.wait_for_ghost("for item in items:\n    total += item\n\n    print(total)")
    neovim.keys("<M-C-Right>")
    assert neovim.lines == ["1 for item in items:"]
    neovim.keys("<M-C-Right>")
    assert neovim.lines == ["1 for item in items:", "    total += item"]
    assert neovim.ghost == "\n\n    print(total)"
    neovim.keys("<Tab>")
    assert neovim.lines[2:] == ["", "    print(total)"]


def test_a_closer_behind_the_cursor_is_replaced_and_nothing_else(neovim: Neovim) -> None:
    neovim.keys("i1 2 3 4 5 )) end<Esc>11|i")
    neovim.wait_for_ghost("wrap(a(b))")
    neovim.keys("wr")
    assert neovim.ghost == "ap(a(b))"
    neovim.keys("<M-Right>")
    assert neovim.lines == ["1 2 3 4 5 wrap)) end"]
    neovim.keys("<Tab>")
    assert neovim.lines == ["1 2 3 4 5 wrap(a(b))) end"]


def test_one_undo_takes_back_what_was_accepted_and_no_more(neovim: Neovim) -> None:
    neovim.keys("ival")
    neovim.wait_for_ghost(WHOLE[3:])
    neovim.keys("<Tab>x<Esc>u")
    assert neovim.lines == [WHOLE]
    neovim.keys("u")
    assert neovim.lines == ["val"]


def test_paging_on_from_the_only_one_asks_for_others(neovim: Neovim) -> None:
    neovim.keys("i")
    neovim.wait_for_ghost(WHOLE)
    neovim.keys("<M-]>")
    neovim.wait(
        lambda: neovim.lua("return require('rest_lsp.builtin').count(0 + vim.api.nvim_get_current_buf())") == 3, "3"
    )
    assert neovim.ghost == WHOLE
    neovim.keys("<M-]>")
    assert neovim.ghost == f"{WHOLE} # 1"


def test_cycling_through_several(neovim: Neovim) -> None:
    neovim.keys("i")
    neovim.wait_for_ghost(WHOLE)
    neovim.keys("<M-Bslash>")
    neovim.wait(
        lambda: neovim.lua("return require('rest_lsp.builtin').count(0 + vim.api.nvim_get_current_buf())") == 3, "3"
    )
    neovim.keys("<M-]>")
    assert neovim.ghost == f"{WHOLE} # 1"
    neovim.keys("<M-[><M-[>")
    assert neovim.ghost == f"{WHOLE} # 2"
    neovim.keys("<Tab>")
    assert neovim.lines == [f"{WHOLE} # 2"]


def test_a_dismissed_suggestion_stays_away_until_something_is_typed(neovim: Neovim) -> None:
    neovim.keys("i")
    neovim.wait_for_ghost(WHOLE)
    neovim.keys("<C-]>")
    assert neovim.ghost is None
    neovim.keys("<Tab>")
    assert neovim.lines == ["\t"]
    neovim.wait_for_ghost(WHOLE)
    neovim.keys("<C-]><M-Bslash>")
    neovim.wait_for_ghost(WHOLE)


def test_an_open_menu_has_the_keys_and_no_ghost_text_below_it(neovim: Neovim) -> None:
    neovim.keys("ivalid valuable<CR>va")
    neovim.wait_for_ghost("lue = compute(1, 2)")
    neovim.keys("<C-n>")
    assert neovim.lua("return vim.fn.pumvisible()") == 1
    assert neovim.ghost is None
    neovim.keys("<C-y>")
    neovim.wait(lambda: neovim.ghost is not None, "nothing is suggested after the menu")


def test_nothing_is_mapped_unless_asked_for(bare: Neovim) -> None:
    before = bare.lua("return vim.fn.execute('imap')")
    start(bare, keymaps="false")
    assert bare.lua("return vim.fn.execute('imap')") == before


@pytest.mark.parametrize(
    ("mapping", "outcome"),
    [
        ("inoremap <Tab> plain", "plain"),
        ("inoremap <expr> <Tab> 'an' . 'expr'", "anexpr"),
        ("lua vim.keymap.set('i', '<Tab>', function() vim.api.nvim_set_current_line('function') end)", "function"),
        ("lua vim.keymap.set('i', '<Tab>', function() return '<C-v>u00e9' end, { expr = true })", "é"),
        ("inoremap <F9> deep| imap <Tab> <F9>", "deep"),
        ("inoremap <Tab> <Nop>", ""),
        ("iunmap <Tab>", "\t"),
    ],
)
def test_without_a_suggestion_tab_does_what_it_did_before(bare: Neovim, mapping: str, outcome: str) -> None:
    bare.api.command(mapping)
    start(bare)
    start(bare)  # reading the configuration twice must not lose the mapping
    bare.keys("i")
    bare.wait_for_ghost(WHOLE)
    bare.keys("<C-]><Tab>")
    assert bare.lines == [outcome]
    bare.keys("<Esc>0Cv")
    bare.wait_for_ghost(WHOLE[1:])
    bare.keys("<Tab>")
    assert bare.lines == [WHOLE]


@pytest.mark.parametrize("key", ["<M-Right>", "<M-C-Right>", "<M-]>", "<M-[>", "<M-Bslash>"])
def test_a_key_with_alt_never_ends_insert_mode(neovim: Neovim, key: str) -> None:
    neovim.ask("test/mute")
    neovim.keys(f"iqq{key}x")
    assert (neovim.lines, neovim.lua("return vim.fn.mode()")) == (["qqx"], "i")


def test_keys_keep_their_order_behind_a_fallback(bare: Neovim) -> None:
    bare.api.command("inoremap <Tab> TAB")
    start(bare)
    bare.keys("iqq<C-]><Tab>behind")
    assert bare.lines == ["qqTABbehind"]


@pytest.mark.parametrize("accept", ["accept", "accept_word", "accept_line", "next", "prev", "dismiss", "is_visible"])
def test_without_a_server_the_functions_say_so(bare: Neovim, accept: str) -> None:
    bare.use_plugin()
    assert bare.lua(f"return require('rest_lsp').{accept}()") is False


@pytest.mark.parametrize(("n_replaced", "expected"), [(0, None), (1, {"text": "p(a)", "last": 4})])
def test_what_was_typed_of_a_suggestion_is_never_replaced(
    bare: Neovim, n_replaced: int, expected: dict[str, object] | None
) -> None:
    """One that came when `wrap` had been typed of it, and then the cursor went left."""
    bare.use_plugin("{}")
    place = f"{{ line = 'wrap', first = 0, last = 4, n_replaced = {n_replaced} }}"
    assert bare.lua(f"return require('rest_lsp.edit').rest({place}, 'wrap(a)', 'wrap', 3)") == expected
