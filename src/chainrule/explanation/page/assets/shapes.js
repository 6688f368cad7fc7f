// A shape is an element of the graph's picture: a box, a frame, a label, a stroke; made once, and rewritten when its step comes.

const FONT = '12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  BOLD = `600 ${FONT}`;
const LINE = 17,
  PADDING = 9,
  LABEL = 5,
  TOGGLE = 20;
const LARGEST_NAME = 13; // on the screen, of a box seen from afar

function lineWidth(line) {
  return line.tokens.reduce((sum, t) => sum + textWidth(t.text, line.kind === 'name' && !t.quiet ? BOLD : FONT), 0);
}

function linesSize(lines, padding) {
  return [Math.ceil(lines.reduce((most, l) => Math.max(most, lineWidth(l)), 0)) + 2 * padding, LINE * lines.length + padding];
}

/** The room for all that a box will ever say: at the end of the film, and while a sum is not complete. */
function boxSize(box, film) {
  const lines = boxLines(box, film, film.last),
    sums = box.node ? film.scene.arriving(box.node, box) : [];
  if (box.isContainer) lines[0] = {...lines[0], tokens: [...lines[0].tokens, token('   ')]};
  const [width, height] = linesSize(lines, PADDING);
  const partial =
    sums.length > 1 && sums.length <= 2 * MOST_SUMMANDS ? sums.slice(0, -1).map(w => boxLines(box, film, w.step)) : [];
  return [partial.reduce((most, l) => Math.max(most, linesSize(l, PADDING)[0]), width), height];
}

function labelSize(cord, film) {
  const lines = cordLines(cord, film.last);
  if (!lines) return null;
  const [width] = linesSize(lines, LABEL);
  return [width, LINE * lines.length + 2];
}

function headSize(item) {
  return [linesSize(headLines(item), 4)[0] + TOGGLE, LINE + 6];
}

function written(lines, left, top, room = Infinity) {
  return lines.map((l, k) => {
    const text = svg('text', {class: l.kind, x: left, y: top + LINE * k + 12.5});
    for (const t of fitting(l, room)) text.append(t.ref || t.quiet || t.exact ? tspan(t) : t.text);
    return text;
  });
}

function tspan(t) {
  const span = svg('tspan', {
    class: [t.quiet && 'quiet', t.exact && 'number'].filter(Boolean).join(' ') || null,
    'data-ref': t.ref,
  });
  span.append(t.text);
  if (t.exact) span.append(svg('title', {}, t.exact));
  return span;
}

/** A line that is too wide for its box (a sum that is not complete may be) ends in an ellipsis. */
function fitting(l, room) {
  let tokens = l.tokens;
  for (let longest = LONGEST; lineWidth({...l, tokens}) > room + 1 && longest > 4; longest--) tokens = cut(l.tokens, longest);
  return tokens;
}

function boxClass(box, graph) {
  if (!box.node) return `closed ${box.kind}`;
  return [box.node.kind, box.node === graph.loss && 'loss', box.isContainer && 'closed'].filter(Boolean).join(' ');
}

/** A box with its lines; with a `scale`, it is seen from afar, and has its name only. */
function boxShape(box, place, graph, scale) {
  const {left, top, width, height} = place,
    g = svg('g', {
      class: `box ${boxClass(box, graph)}`,
      'data-item': box.key,
      transform: `translate(${round(left)} ${round(top)})`,
      id: elementId(box),
      role: 'img',
    });
  const corner = box.node?.kind === 'input' ? 11 : 3;
  if (box.isContainer) g.append(svg('rect', {class: 'shape behind', x: 3, y: 3, width, height, rx: corner}));
  g.append(svg('rect', {class: 'shape', width, height, rx: corner}));
  if (scale) {
    const name = shortName(box),
      size = Math.min(height * 0.5, (width * 0.86) / (0.62 * name.length), LARGEST_NAME / scale);
    g.append(
      svg(
        'text',
        {
          class: 'name',
          x: width / 2,
          y: height / 2,
          'font-size': round(size),
          'text-anchor': 'middle',
          'dominant-baseline': 'central',
        },
        name,
      ),
    );
  } else {
    g.append(svg('rect', {class: 'hatch', x: 1.5, width: 5}), svg('g', {class: 'lines'}));
    if (box.isContainer) g.append(toggle(box, width - TOGGLE, 2, true));
  }
  return g;
}

/** The name of a module inside another one, without what it has from that one. */
function shortName(box) {
  const outer = box.parent?.group?.name;
  return box.group && outer && box.name.startsWith(`${outer}.`) ? box.name.slice(outer.length + 1) : box.name;
}

/** Write the lines of a step into a box. */
function writeBox(g, box, place, film, step) {
  const lines = boxLines(box, film, step),
    backward = lines.filter(l => l.kind === 'gradient').length;
  g.setAttribute('aria-label', lines.map(l => textOf(l.tokens)).join('; '));
  g.querySelector('.lines')?.replaceChildren(...written(lines, PADDING, PADDING / 2, place.width - 2 * PADDING));
  const hatch = g.querySelector('.hatch'),
    isHatched = backward > 0 && box.node;
  hatch?.setAttribute('height', isHatched ? backward * LINE + PADDING / 2 - 2.5 : 0);
  hatch?.setAttribute('y', PADDING / 2 + (lines.length - backward) * LINE + 0.5);
}

function toggle(item, x, y, isClosed) {
  return svg(
    'g',
    {class: 'toggle', 'data-toggle': item.key, transform: `translate(${round(x)} ${round(y)})`},
    svg('rect', {class: 'reach', width: 18, height: 18, rx: 3}),
    svg('rect', {class: 'sign', x: 4, y: 4, width: 10, height: 10, rx: 1.5}),
    svg('path', {class: 'sign', d: `M6.5 9H11.5${isClosed ? 'M9 6.5V11.5' : ''}`}),
    svg('title', {}, `${isClosed ? 'Open' : 'Close'} ${item.name}`),
  );
}

function frameShape(item, place, isSimple) {
  const {left, top, width, height, head} = place,
    g = svg('g', {class: `frame ${item.kind}`, 'data-item': item.key, id: elementId(item)});
  g.append(svg('rect', {class: 'shape', x: round(left), y: round(top), width: round(width), height: round(height), rx: 8}));
  if (!isSimple) {
    g.append(toggle(item, head.left, head.top + 2, false));
    g.append(...written(headLines(item), head.left + TOGGLE, head.top + 2));
  }
  return g;
}

function labelShape(cord, {left, top, width, height}) {
  return svg(
    'g',
    {class: 'label', 'data-cord': cord.key, transform: `translate(${round(left)} ${round(top)})`, role: 'img'},
    svg('rect', {class: 'ground', width, height, rx: 4}),
    svg('g', {class: 'lines'}),
  );
}

function writeLabel(g, cord, place, step) {
  const lines = cordLines(cord, step);
  g.setAttribute(
    'aria-label',
    `contribution to ${cord.wires[0].value.name}: ${lines.map(l => textOf(l.tokens)).join(' ') || 'not yet'}`,
  );
  g.querySelector('.lines').replaceChildren(...written(lines, LABEL, 1, place.width - 2 * LABEL));
  g.classList.toggle('pending', !lines.length);
}

function bandShape({s, cord}) {
  return svg('path', {class: 'back', 'data-cord': cord.key, d: upwards(s), 'marker-end': s.first ? 'url(#up)' : null});
}

/** The line of a value, with an invisible wide one that is easier to point at. */
function lineShape({s, cord}) {
  return svg(
    'g',
    {class: 'line', 'data-cord': cord.key},
    svg('path', {class: 'reach', d: downwards(s)}),
    svg('path', {class: 'forward', d: downwards(s), 'marker-end': s.last ? 'url(#down)' : null}),
  );
}

/** The id of an item's element; ids have no spaces. */
function elementId(item) {
  return `item-${item.key.replaceAll(' ', '-')}`;
}

function round(x) {
  return Math.round(x * 10) / 10;
}
