"""The model by itself in `bench quality`: a guess at its answer saves passes, and never changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from rest_lsp.bench.quality_cases import QualityCase
from rest_lsp.bench.raw_model import RawModel, Reader, end_of, look_up
from rest_lsp.completion.fim import find_family
from rest_lsp.config import CompletionOptions
from rest_lsp.tokenizer import Tokenizer
from tests.fakes_models import RandomSource, tiny_config
from tests.files_cli import SOURCE


class CountingReader(Reader):
    passes = 0

    def picks(self, tokens: Sequence[int], ahead: Sequence[int]) -> list[int]:
        self.passes += 1
        return super().picks(tokens, ahead)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawModel:
    """A random model that writes nothing but words and ends of lines, for ever."""
    source = RandomSource(tiny_config(o_bias=False, mlp_bias=False, qk_norm=False, max_context=4096))
    (file := tmp_path_factory.mktemp("raw") / "tokenizer.json").write_bytes(source.tokenizer_json())
    tokenizer = Tokenizer.from_file(file)
    for name in source.tensors.keys() & {"embed.weight", "head.weight"}:
        for token in range(source.config.vocab_size):
            if not is_plain(token, tokenizer):
                source.tensors[name][token] = 0
            elif tokenizer.token_bytes(token) == b"\n":
                source.tensors[name][token] *= 2
    options = CompletionOptions(max_tokens_single=24, max_tokens_multi=24)
    loaded = RawModel.load(source, tokenizer, options)
    return RawModel(CountingReader(loaded.reader.module), tokenizer, options)


def is_plain(token: int, tokenizer: Tokenizer) -> bool:
    if token in tokenizer.control_ids or token >= tokenizer.vocab_size:
        return False
    spelled = tokenizer.token_bytes(token)
    return spelled.isascii() and (spelled == b"\n" or spelled.decode().isprintable())


def cases() -> Iterator[QualityCase]:
    for offset in range(4, len(SOURCE), 11):
        yield QualityCase(str(offset), "set", "group", "app.py", SOURCE, offset, "", "always", is_line=False)


def token_by_token(raw: RawModel, case: QualityCase) -> str:
    """What the module writes when each token is waited for."""
    reader, written = Reader(raw.reader.module), list[int]()
    tokenizer, budget = raw.tokenizer, raw.options.max_tokens_multi
    before, after = tokenizer.encode(case.text[: case.offset]), tokenizer.encode(case.text[case.offset :])
    prompt = find_family(tokenizer).assemble(before, after)
    while len(written) < budget:
        written += reader.picks(prompt + written, [])
    return b"".join(map(tokenizer.token_bytes, written)).decode()


def test_what_stood_behind_the_same_tokens_before_is_looked_up() -> None:
    assert look_up([1, 2, 3, 4, 5, 1, 2, 3]) == [4, 5, 1, 2, 3]
    assert look_up([1, 2, 3, 9, 1, 2, 3, *range(10, 30), 1, 2, 3]) == list(range(10, 18)), "the last place counts"
    assert look_up([1, 2, 3]) == []
    assert look_up([7, 7, 7, 7]) == [7]


@pytest.mark.parametrize(
    ("text", "is_line", "kept"),
    [
        ("a = 1\nb = 2", True, "a = 1"),
        ("a = 1", True, None),
        ("    return a\n\n# Example\nprint(a)", False, "    return a\n"),
        ("x\n    if y:\n        print(z)\n    # more", False, None),
        ("x\n\nclass A:\n    pass\ndef f", False, "x\n"),
    ],
)
def test_a_simple_rule_ends_what_the_model_writes(text: str, is_line: bool, kept: str | None) -> None:
    end = end_of(text, is_line=is_line)
    assert (None if end < 0 else text[:end]) == kept


def asked(raw: RawModel, case: QualityCase, guess: str) -> tuple[str, int, int]:
    assert isinstance(raw.reader, CountingReader)
    before = raw.reader.passes
    return *raw.answer(case, guess), raw.reader.passes - before


def test_a_guess_changes_nothing_and_a_right_one_is_read_in_one_pass(raw: RawModel) -> None:
    n_right = 0
    for case in cases():
        text, n_tokens = token_by_token(raw, case), 24
        assert asked(raw, case, "")[:2] == (text, n_tokens)
        half = len(text) // 2
        for guess in ("another guess, and\nmore of it", text[::-1], f"{text[:half]}x{text[half:]}", text + text):
            assert asked(raw, case, guess)[:2] == (text, n_tokens)
        *_, passes = asked(raw, case, text)
        n_right += passes == 1
    assert n_right > 3, "what the model writes is seldom what the tokenizer makes of its text"


def test_one_line_ends_with_the_line(raw: RawModel) -> None:
    whole = [case for case in cases() if "\n" in raw.answer(case)[0]]
    assert whole
    for case in whole:
        line = QualityCase(case.id, "set", "group", "app.py", SOURCE, case.offset, "", "never", is_line=True)
        assert raw.answer(line)[0] == raw.answer(case)[0].partition("\n")[0]
