"""What there is to see of a tree that is drawn, told from the page and told from the tree."""

from __future__ import annotations

from rest_lsp.drafting.tree import ROOT, DraftTree

DRAWN = """() => [...document.querySelectorAll('[data-pass]')].map((pass) => {
  const box = (thing) => thing.getBoundingClientRect();
  const rows = [...pass.querySelectorAll('.tree li')];
  const dots = [...pass.querySelectorAll('.tree circle')];
  const isIn = ({ x, y }, { left, right, top, bottom }) => left <= x && x <= right && top <= y && y <= bottom;
  const middle = ({ left, right, top, bottom }) => ({ x: (left + right) / 2, y: (top + bottom) / 2 });
  const rowOf = (dot) => dot ? rows.findIndex((row) => isIn(middle(box(dot)), box(row))) : -1;
  const end = (edge, length) => edge.getPointAtLength(length).matrixTransform(edge.getScreenCTM());
  const rowAt = (point) => rowOf(dots.find((dot) => isIn(point, box(dot))));
  return {
    head: pass.querySelector('h4').innerText.replace(/^Pass \\d+: /, ''),
    words: rows.map((row) => row.innerText.trim().replace(/\\s+/g, ' ')),
    dots: dots.map(rowOf).sort((a, b) => a - b),
    edges: [...pass.querySelectorAll('.tree .edge')]
      .map((edge) => [rowAt(end(edge, 0)), rowAt(end(edge, edge.getTotalLength())), getComputedStyle(edge).stroke])
      .sort(([, a], [, b]) => a - b),
  };
})"""
ACCEPTED, REFUSED = "rgb(11, 114, 97)", "rgb(213, 218, 224)"


def drawing_of(tree: DraftTree, accepted: list[int]) -> dict[str, object]:
    """What there is to see: words row by row, and which rows an edge joins, in what colour."""
    order: list[int] = []
    waiting = [node for node in reversed(range(len(tree))) if tree.parents[node] == ROOT]
    while waiting:
        order.append(waiting.pop())
        waiting += [node for node in reversed(range(len(tree))) if tree.parents[node] == order[-1]]
    rows = {ROOT: 0, **{node: row for row, node in enumerate(order, 1)}}
    drafted = f"{len(tree)} drafted, {len(accepted)} accepted" if order else "nothing drafted"
    return {
        "head": drafted,
        "words": ["last token", *(words_of(tree, node, node in accepted) for node in order)] if order else [],
        "dots": list(range(len(order) + 1)) if order else [],
        "edges": [[rows[tree.parents[node]], rows[node], ACCEPTED if node in accepted else REFUSED] for node in order],
    }


def words_of(tree: DraftTree, node: int, accepted: bool) -> str:
    chance, origin = tree.path_probability[node], tree.origin(node)
    percent = f"{100 * chance:.{0 if chance >= 0.1 else 1}f} %{' accepted' if accepted else ''}"
    place = f"{origin.path}:{origin.offset // 10 + 1} ({tree.sources[node]})" if origin else tree.sources[node]
    return f'{"✓" if accepted else "·"}{percent} "{tree.tokens[node]}" {place}'
