// The surroundings of a value are the edges at it and the modules around it, told in the details.

/** The details of an edge. */
function edgeDetails(details, w) {
  const {app} = details,
    [e] = w.edges,
    source = e && app.graph.node(e.from).source;
  const title = html(
    'div',
    {class: 'title'},
    html(
      'h2',
      {},
      `${w.value.name} ${w.flows ? '←' : '→'} ${w.lower.name} `,
      html('span', {class: 'kind'}, w.flows ? 'edge' : 'value only'),
    ),
    html(
      'div',
      {class: 'actions'},
      w.flows ? html('button', {type: 'button', onclick: () => app.goTo(w.step)}, 'Go to its step') : null,
    ),
  );
  const ends = definitionList([
    ['value of', itemLink(app, w.upper)],
    ['used by', itemLink(app, w.lower)],
    ['argument', e && isSingle(w.lower) ? String(e.position + 1) : null],
    ['source', source && html('code', {}, source)],
  ]);
  if (!w.flows)
    return [title, ends, html('p', {class: 'quiet'}, 'A value goes down here. No gradient comes back along this edge.')];
  if (w.step > app.step) return [title, ends, html('p', {class: 'quiet'}, `${NOT_YET} nothing has flowed here yet`)];
  return [
    title,
    ends,
    flowBlock(w, app),
    w.edges.length === 1 && isSingle(w.lower) ? localDerivative(details, e) : null,
    details.quantity('gradient', 'contribution', w.contribution, referenceTo('flow', w.key)),
    html('p', {class: 'stats'}, html('span', {}, 'size ', numberSpan(w.size, referenceTo('flow', w.key)))),
  ];
}

function localDerivative(details, e) {
  const local = e.local && arrayOf(e.local.value);
  return local?.shape?.length
    ? html(
        'div',
        {class: 'quantity'},
        html('h3', {}, 'local derivative'),
        details.maps.of('local', 'local derivative', local),
        statistics(local),
      )
    : null;
}

/** The details of a module or a run. */
function containerDetails(details, item) {
  const {app} = details,
    isOpen = app.scene.isFrame(item),
    {group} = item;
  const facts = definitionList([
    ['operations', counted(item.count, 'operation')],
    ['call', group?.calls > 1 ? `${group.call} of ${group.calls}` : null],
    [
      'inside',
      item.above
        .filter(c => c.kind !== 'root')
        .map(c => c.name)
        .join(' › ') || null,
    ],
  ]);
  return [
    details.title(item, item.kind === 'run' ? 'run of operations' : (group.kind ?? 'block')),
    facts,
    ...(isOpen ? [] : [leavingTable(app, item), enteringTable(app, item)]),
    inputsInside(app, item),
  ];
}

function leavingTable(app, item) {
  const isKnown = app.film.isComputed(item, app.step);
  return [
    html('h3', {}, 'Values that leave it'),
    table(
      ['value', 'shape', 'norm', 'norm of the gradient'],
      app.scene
        .shown(item)
        .slice(0, 20)
        .map(n => {
          const found = app.film.gradient(n, item, app.step);
          return [
            n.name,
            n.shape.length ? plainShape(n.shape) : '',
            normCell(isKnown && arrayOf(n.value), referenceTo('value', n.id), 'value'),
            normCell(found?.array, referenceTo('gradient', n.id), 'gradient'),
          ];
        }),
    ),
  ];
}

function enteringTable(app, item) {
  const wires = app.scene.wiresOf.get(item)?.above ?? [];
  if (!wires.length) return null;
  return [
    html('h3', {}, 'Values that enter it'),
    table(
      ['value', 'from', 'contribution'],
      wires.slice(0, 20).map(w => [w.value.name, itemLink(app, w.upper), contributionCell(app, w)]),
    ),
    andMore(wires.length - 20),
  ];
}

/** The inputs that stand inside a module, with their gradients once it has been passed on the way back. */
function inputsInside(app, item, most = 40) {
  const inputs = givenInside(item);
  if (!inputs.length) return null;
  return [html('h3', {}, 'Inputs inside'), inputTable(app, inputs, most)];
}

function inputTable(app, inputs, most) {
  return [
    table(
      ['input', 'shape', 'norm', 'norm of the gradient'],
      inputs.slice(0, most).map(input => {
        const n = input.node;
        return [
          itemLink(app, input),
          n.shape.length ? plainShape(n.shape) : '',
          normCell(arrayOf(n.value), referenceTo('value', n.id), 'value'),
          normCell(app.film.wholeGradient(input, app.step), referenceTo('gradient', n.id), 'gradient'),
        ];
      }),
    ),
    andMore(inputs.length - most),
  ];
}

/** What a value was computed from, and what it is used by. */
function usesTables(app, item) {
  const {above, below} = app.scene.wiresOf.get(app.scene.boxFor(item));
  const row = (w, other) => [
    itemLink(app, other),
    html('button', {type: 'button', class: 'link', onclick: () => app.selectWire(w)}, 'edge'),
    contributionCell(app, w),
  ];
  const list = (title, wires, end) =>
    wires.length
      ? [
          html('h3', {}, title),
          table(
            [end === 'upper' ? 'argument' : 'result', '', 'contribution back'],
            wires.slice(0, 12).map(w => row(w, w[end])),
          ),
          andMore(wires.length - 12),
        ]
      : [];
  return [list('Computed from', above, 'upper'), list('Used by', below, 'lower')];
}

function contributionCell(app, w) {
  if (!w.flows) return html('span', {class: 'quiet'}, 'value only');
  return w.step <= app.step
    ? html('span', {class: 'gradient'}, spans(referred(inlineTokens(w.contribution), referenceTo('flow', w.key))))
    : NOT_YET;
}

function normCell(array, ref, kind) {
  const norm = array ? normOf(array) : null;
  return norm === null ? NOT_YET : numberSpan(norm, ref, kind);
}

function andMore(count) {
  return count > 0 ? html('p', {class: 'quiet'}, `and ${count} more`) : null;
}
