"""Parts of other files: which are chosen, that they stay while somebody types, and what never is among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from rest_lsp.completion.context_text import similarity
from rest_lsp.completion.fim import find_family
from rest_lsp.completion.prompt import PromptBuilder
from rest_lsp.completion.request import CompletionRequest
from rest_lsp.completion.snapshot import take_snapshot
from rest_lsp.config import ContextKinds
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_completion import at_cursor, control
from tests.files_context import TOKENIZER, Shelf, extra_context, others, shown, size_of

PATH = "shop/cart.py"
PRICES = '''"""Prices."""

TAX = 0.2


def price_of(item: str, *, with_tax: bool = True) -> float:
    """What an item costs.

    More words.
    """
    return 1.0


class Basket(list):
    """What somebody buys."""

    owner: str

    def total(
        self,
        discount: float,
    ) -> float:
        """The sum."""
        return 0.0

    def empty(self) -> None:
        self.clear()


def unused():
    return None
'''
CART = """from shop.prices import Basket, price_of
from shop import prices as p


def check(basket: Basket):
    print(price_of(basket), p.TAX)
    █


def more():
    return 1
"""
LOOP = "".join(f"    for entry in shelf.entries({n}):\n        report(entry, shelf.label)\n" for n in range(4))


def cart(**options: str) -> CompletionRequest:
    return at_cursor(CART, path=options.get("path", PATH), language="python")


def shop(**files: str) -> Shelf:
    return Shelf({"shop/prices.py": PRICES, "shop/__init__.py": "from shop.prices import price_of\n", **files})


def test_definitions_of_names_in_use_are_outlined() -> None:
    (text,) = shown(others(extra_context(shop(), kinds="definitions"), cart())).values()
    assert "def price_of(item: str, *, with_tax: bool = True) -> float:\n" in text
    assert '    """What an item costs."""\n' in text
    assert "class Basket(list):\n" in text
    assert "    def total(self, discount: float) -> float: ...\n" in text
    assert "TAX = 0.2\n" in text
    assert "unused" not in text
    assert "More words" not in text


def test_names_that_a_package_passes_on_are_found_where_they_are_defined() -> None:
    request = at_cursor("from shop import price_of\nprice_of(█", path="main.py", language="python")
    assert [*shown(others(extra_context(shop(), kinds="definitions"), request))] == ["shop/prices.py"]


@pytest.mark.parametrize(
    ("statement", "path", "found"),
    [
        ("from .prices import TAX", "shop/cart.py", True),
        ("from ..prices import TAX", "shop/cart.py", False),
        ("from prices import TAX", "shop/cart.py", False),
        ("from shop.prices import TAX", "elsewhere/main.py", True),
    ],
)
def test_modules_are_looked_for_where_python_does(statement: str, path: str, *, found: bool) -> None:
    request = at_cursor(f"{statement}\nTAX█", path=path, language="python")
    assert bool(others(extra_context(shop(), kinds="definitions"), request)) is found


def test_similar_places_are_found_and_the_most_similar_stands_last() -> None:
    copied = f"def one(shelf):\n{LOOP}    return shelf\n"
    shelf = Shelf({"a.lua": copied, "b.lua": "x = 1\n" * 50 + "    for entry in shelf.entries(0):\n", "c.lua": "y\n"})
    request = at_cursor(f"def two(shelf):\n{LOOP}█", path="d.lua", language="lua")
    texts = shown(others(extra_context(shelf, kinds="similar"), request))
    assert [*texts][-1] == "a.lua"
    assert "report(entry, shelf.label)" in texts["a.lua"]
    assert "c.lua" not in texts


def test_what_is_there_already_is_not_said_again() -> None:
    lines = LOOP.splitlines(keepends=True)
    shelf = Shelf({"a.lua": "".join(lines[:2]), "b.lua": "".join(lines[:2]) + "close()\n"})
    request = at_cursor(f"{LOOP}█", path="d.lua")
    assert [*shown(others(extra_context(shelf, kinds="similar"), request))] == ["b.lua"]


def test_of_two_copies_one_is_enough() -> None:
    copied = "begin()\n    for entry in shelf.entries(1):\n        report(entry)\n        count(entry)\n"
    shelf = Shelf({"a.lua": copied, "b.lua": copied})
    request = at_cursor("begin()\n    for entry in shelf.entries(2):\n█", path="d.lua")
    assert len(others(extra_context(shelf, kinds="similar"), request)) == 1


def test_what_is_chosen_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: Counter[str] = Counter()
    encode_batch = Tokenizer.encode_batch

    def counted(self: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
        encoded.update(texts)
        return encode_batch(self, texts)

    shelf = Shelf({"a.lua": f"def one(shelf):\n{LOOP}    return shelf\n", "c.lua": "y\n"})
    monkeypatch.setattr(Tokenizer, "encode_batch", counted)
    request = at_cursor(f"def two(shelf):\n{LOOP}█", path="d.lua", language="lua")
    texts = shown(others(extra_context(shelf, kinds="similar"), request))
    assert [encoded[text] for text in texts.values()] == [1]


def heads_while(typed: str, kinds: ContextKinds = "both") -> list[tuple[int, ...]]:
    """What stands before the document in the prompt of every key while `typed` is written, each once, in turn."""
    shelf = shop(**{"shop/other.py": CART.replace("█", "basket.total(0)\n    basket.empty()")})
    extra, request = extra_context(shelf, kinds=kinds), cart()
    builder = PromptBuilder(TOKENIZER, find_family(TOKENIZER), budget_tokens=1400, anchor_lines=4)
    heads: dict[tuple[int, ...], None] = {}
    for n in range(len(typed) + 1):
        text = request.text[: request.offset] + typed[:n] + request.text[request.offset :]
        now = CompletionRequest(text, request.offset + n, path=PATH, language="python")
        shelf.put(PATH, text)
        snapshot = take_snapshot(now, builder.reach)
        ids = builder.build_prompt(snapshot, extra.others(now, snapshot), PATH).ids
        heads[tuple(ids[: ids.index(control("<|fim_prefix|>"))])] = None
    return [*heads]


def test_a_run_of_keystrokes_has_one_prefix() -> None:
    (head,) = heads_while("for item in basket:\n        p.unused(item)\n        basket.empty()\n    return basket")
    assert "def price_of" in TOKENIZER.decode(head)


def test_an_import_counts_when_its_line_is_left() -> None:
    before, after = heads_while("unused()\n    from shop.prices import unused\n    unused", "definitions")
    assert "def unused" not in TOKENIZER.decode(before)
    assert "def unused" in TOKENIZER.decode(after)


def test_another_part_of_the_document_may_have_others() -> None:
    shelf = Shelf({"a.lua": f"def one(shelf):\n{LOOP}"})
    extra = extra_context(shelf, kinds="similar")
    filler = "".join(f"number_{n} = {n}\n" for n in range(60))
    above = CompletionRequest(f"{filler}def two(shelf):\n{LOOP}", 0, path="d.lua")
    below = CompletionRequest(above.text, len(above.text), path="d.lua")
    assert not others(extra, above)
    assert others(extra, below)
    assert others(extra, below) == others(extra, below)


@pytest.mark.parametrize("kinds", ["definitions", "similar", "both"])
def test_the_document_itself_never_is_among_them(kinds: ContextKinds) -> None:
    text = CART.replace("█", "") + PRICES
    shelf = shop(**{PATH: text, "shop/more.py": text})
    request = at_cursor(
        f"from shop.cart import check\n{text}\ncheck()\n    print(price_of(basket), █", path=PATH, language="python"
    )
    chosen = shown(others(extra_context(shelf, kinds=kinds), request))
    assert chosen
    assert PATH not in chosen


def test_text_that_must_not_be_read_any_more_is_taken_back_at_once() -> None:
    shelf = shop()
    extra = extra_context(shelf)
    assert "shop/prices.py" in shown(others(extra, cart()))
    shelf.remove("shop/prices.py")
    assert "shop/prices.py" not in shown(others(extra, cart()))


def test_an_index_that_was_empty_is_asked_again_on_the_next_line() -> None:
    shelf = Shelf({})
    extra = extra_context(shelf)
    assert not others(extra, cart())
    shelf.put("shop/prices.py", PRICES)
    later = at_cursor(CART.replace("█", "\n    █"), path=PATH, language="python")
    assert others(extra, later)


@pytest.mark.parametrize("kinds", ["definitions", "similar", "both"])
@pytest.mark.parametrize("tokens", [0, 20, 60, 120, 400, 900])
def test_the_budget_holds(tokens: int, kinds: ContextKinds) -> None:
    shelf = shop(**{f"shop/copy_{n}.py": CART.replace("█", f"basket.total({n})\n") + PRICES for n in range(5)})
    chosen = others(extra_context(shelf, tokens, kinds), cart())
    assert size_of(chosen, PATH) <= tokens
    assert chosen or tokens < 400


def test_a_buffer_without_a_file_has_none() -> None:
    assert not others(extra_context(shop()), at_cursor("from shop.prices import TAX\nTAX█", language="python"))


def test_similarity_is_the_share_of_common_lines() -> None:
    assert similarity("a\n\nb\n", "  b\n\nc\nd\ne\n") == 0.5
    assert similarity("", "a\n") == 0.0
