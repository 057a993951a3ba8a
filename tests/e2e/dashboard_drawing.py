"""What there is to see on the page, told from the page and told from what was recorded."""

from __future__ import annotations

from playwright.sync_api import Locator

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
    place = f"{origin.path}:{origin.offset // 10 + 1} ({tree.sources[node]})" if origin else tree.sources[node]
    return f'{"✓" if accepted else "·"}{percent(chance)}{" accepted" if accepted else ""} "{tree.tokens[node]}" {place}'


TIME_LINE = """() => {
  const whole = document.querySelector('.timeline').getBoundingClientRect();
  return [...document.querySelectorAll('.timeline rect')].map((rect) => {
    const { left, width } = rect.getBoundingClientRect();
    return {
      part: rect.getAttribute('class'),
      title: rect.textContent,
      left: (left - whole.left) / whole.width,
      width: width / whole.width,
      colour: getComputedStyle(rect).fill,
    };
  });
}"""
KEY_COLOURS = """() => Object.fromEntries([...document.querySelectorAll('#completion .key li')].map((item) =>
  [item.innerText.split(' ')[0], getComputedStyle(item.querySelector('rect')).fill]))"""
HAS_POINTS_AT = """(figure, points) => {
  const [over, canvas] = [figure.querySelector('.u-over'), figure.querySelector('canvas')];
  const wanted = getComputedStyle(figure.querySelector('.swatch.s0')).backgroundColor.match(/\\d+/g).join();
  const scale = canvas.width / canvas.clientWidth;
  return points.every(([x, y]) => {
    const left = Math.round((over.offsetLeft + x * over.clientWidth) * scale);
    const top = Math.round((over.offsetTop + (1 - y) * over.clientHeight) * scale);
    return [...canvas.getContext('2d').getImageData(left, top, 1, 1).data.slice(0, 3)].join() === wanted;
  });
}"""
"""Whether a chart whose scales go from 0 to 1 has a point of its first series at each of these."""


def cells(place: Locator) -> list[list[str]]:
    """The words of tables, row by row."""
    return [[cell.strip() for cell in row.locator("td").all_inner_texts()] for row in place.locator("tbody tr").all()]


def percent(share: float) -> str:
    return f"{100 * share:.{1 if 0 < share < 0.1 else 0}f} %"


def ms(taken: float) -> str:
    return f"{taken:.{1 if taken < 10 else 0}f} ms"
