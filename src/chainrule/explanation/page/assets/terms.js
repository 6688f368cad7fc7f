// A term is what one element gives another: to a gradient upstream × local; to a value, an element it was computed from.

const MOST_TERMS = 12;

/** The edges that are drawn from a value back to its gradient: those of an open gate's parts instead of the gate's own. */
function edgesInto(scene, node) {
  const ids = [node.id, ...outputOwners(scene, node)];
  return ids.flatMap(id => scene.graph.into.get(id) ?? []).filter(e => scene.isDrawn(scene.graph.item(e.from)));
}

/** The gates whose value is this part's value. */
function outputOwners(scene, node) {
  const gate = node.inside && scene.graph.node(node.inside);
  return gate?.output === node.id ? [gate.id, ...outputOwners(scene, gate)] : [];
}

/** The terms of one element of a gradient: largest first; null where an edge has too many links to be on the page. */
function gradientTerms(scene, node, element) {
  const terms = [];
  for (const e of edgesInto(scene, node)) {
    const links = linksOf(e),
      from = scene.graph.node(e.from),
      upstream = from.gradient && arrayOf(from.gradient);
    if (!links || !upstream?.data) return null;
    for (const k of links.intoColumn(element)) {
      const row = links.rows[k];
      terms.push({
        e,
        from,
        row,
        upstream: upstream.data[row],
        local: links.slopes[k],
        value: upstream.data[row] * links.slopes[k],
      });
    }
  }
  return terms.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/** The elements that one element of a value was computed from; null where they are not on the page. */
function valueTerms(scene, node, element) {
  const source = scene.isFrame(scene.graph.item(node.id)) ? scene.graph.node(node.output) : node,
    terms = [];
  for (const e of scene.graph.outOf.get(source.id) ?? []) {
    const links = linksOf(e),
      to = scene.graph.node(e.to),
      value = arrayOf(to.value);
    if (!links || !value.data) return null;
    for (const k of links.intoRow(element))
      terms.push({e, to, column: links.cols[k], value: elementOf(value, links.cols[k]), local: links.slopes[k]});
  }
  return terms;
}

/** An element as people write it: W[0,2]. */
function elementName(node, flat) {
  const array = arrayOf(node.value);
  if (array.parts) {
    const k = array.parts.findLastIndex(part => part.offset <= flat);
    return `${node.name}[${k}][${unraveled(flat - array.parts[k].offset, array.parts[k].shape).join(',')}]`;
  }
  return array.shape.length ? `${node.name}[${unraveled(flat, array.shape).join(',')}]` : node.name;
}

function numberSpan(x, ref = null, kind = null) {
  return html(
    'span',
    {class: `number ${kind ?? ''}`, title: exactNumber(x), 'data-ref': ref, tabindex: ref ? 0 : null},
    plainNumber(x),
  );
}

/** The terms of a pinned element of a gradient, their sum beside the gradient. */
function gradientTable(app, node, element) {
  const {scene, film, step} = app,
    name = elementName(node, element),
    box = scene.boxFor(scene.graph.item(node.id));
  const found = film.gradient(node, box, step);
  if (!found?.complete || !node.gradient) return null;
  const terms = gradientTerms(scene, node, element),
    total = arrayOf(node.gradient).data?.[element];
  const title = html(
    'h3',
    {},
    'How ',
    html('span', {class: 'gradient'}, `${node.gradient_name}${name.slice(node.name.length)}`),
    ' came to be',
  );
  if (!terms)
    return [
      title,
      html(
        'p',
        {class: 'quiet'},
        `It has too many terms for this page; `,
        html('code', {}, `chainrule explain … --of "${name}"`),
        ' and ',
        html('code', {}, `e.element("${node.name}", (${elementIndex(node, element)}))`),
        ' list them.',
      ),
    ];
  if (!terms.length)
    return [
      title,
      html(
        'p',
        {class: 'quiet'},
        edgesInto(scene, node).length ? 'Nothing flows into this element: no open path leads to it.' : 'The sweep starts here.',
      ),
    ];
  const kept = terms.slice(0, terms.length === MOST_TERMS + 1 ? MOST_TERMS + 1 : MOST_TERMS),
    others = terms.slice(kept.length);
  const sum = terms.reduce((s, t) => s + t.value, 0),
    rest = others.reduce((s, t) => s + t.value, 0);
  return [
    title,
    table(
      ['from', 'upstream', '× local', '= term'],
      [
        ...kept.map(t => [
          elementLink(app, t.from, t.row),
          numberSpan(t.upstream, referenceTo('gradient', t.from.id, t.row), 'gradient'),
          numberSpan(t.local, referenceTo('local', t.e.id, element)),
          numberSpan(t.value, null, 'gradient'),
        ]),
        ...(others.length
          ? [[html('span', {class: 'quiet'}, `${counted(others.length, 'other')}`), '', '', numberSpan(rest, null, 'gradient')]]
          : []),
        ['sum', '', '', numberSpan(sum, null, 'gradient strong')],
        ['gradient of the sweep', '', '', numberSpan(total, referenceTo('gradient', node.id, element), 'gradient strong')],
      ],
      'terms',
    ),
  ];
}

function elementIndex(node, flat) {
  const index = unraveled(flat, node.shape);
  return index.length === 1 ? `${index[0]},` : index.join(', ');
}

/** The elements that a pinned element of a value was computed from. */
function valueTable(app, node, element) {
  if (node.kind !== 'operation' || !app.film.isComputed(app.scene.boxFor(app.scene.graph.item(node.id)), app.step)) return null;
  const terms = valueTerms(app.scene, node, element),
    title = html('h3', {}, 'What ', html('span', {class: 'value'}, elementName(node, element)), ' depends on');
  if (!terms?.length) return null;
  const kept = [...terms].sort((a, b) => Math.abs(b.local * b.value) - Math.abs(a.local * a.value)).slice(0, MOST_TERMS);
  return [
    title,
    table(
      ['element', 'its value', 'local derivative'],
      [
        ...kept.map(t => [
          elementLink(app, t.to, t.column),
          numberSpan(t.value, referenceTo('value', t.to.id, t.column), 'value'),
          numberSpan(t.local, referenceTo('local', t.e.id)),
        ]),
        ...(terms.length > kept.length
          ? [[html('span', {class: 'quiet'}, counted(terms.length - kept.length, 'other')), '', '']]
          : []),
      ],
      'terms',
    ),
  ];
}

/** A button with the name of an element, that selects its value and pins it. */
function elementLink(app, node, flat) {
  return html(
    'button',
    {
      type: 'button',
      class: 'link',
      onclick: () => {
        app.select(app.graph.item(node.id), {reveals: true});
        if (arrayOf(node.value).shape?.length) app.pin(flat);
      },
    },
    elementName(node, flat),
  );
}

function itemLink(app, item) {
  return html('button', {type: 'button', class: 'link', onclick: () => app.select(item, {reveals: true})}, item.name);
}

function table(head, rows, kind = '') {
  return html(
    'div',
    {class: 'scroll'},
    html(
      'table',
      {class: kind},
      html(
        'thead',
        {},
        html(
          'tr',
          {},
          head.map(h => html('th', {scope: 'col'}, h)),
        ),
      ),
      html(
        'tbody',
        {},
        rows.map(row =>
          html(
            'tr',
            {},
            row.map(cell => html('td', {}, cell)),
          ),
        ),
      ),
    ),
  );
}
