// The block above the tabs tells the step of now: in words, as a formula, with the numbers put in, and what it comes to.

class Now {
  constructor(app) {
    this.app = app;
    this.block = byId('now');
    app.on('scene', () => this.show());
    app.on('step', ({isSpoken = true} = {}) => this.show(isSpoken));
  }

  show(isSpoken = false) {
    const {app} = this,
      {event, film, step} = app,
      said = saidOf(event, film),
      title = titleOf(event, film, step);
    const phase = event.kind === 'backward' || event.kind === 'seed' ? 'gradient' : 'value';
    this.block.replaceChildren(
      html('h2', {class: phase}, html('span', {class: 'sign'}, phase === 'value' ? FORWARD : BACK), title),
      html('p', {class: 'words'}, said),
      ...BLOCKS[event.kind](event, app),
    );
    if (isSpoken) speak(`${title}. ${said} ${[...this.block.querySelectorAll('.equation')].map(e => e.textContent).join('; ')}`);
  }
}

const BLOCKS = {
  start: (event, {scene}) => givenBlock(scene),
  forward: ({box}, {scene}) =>
    scene
      .shown(box)
      .slice(0, MOST_VALUES)
      .map(n =>
        equation('value', n.name, [
          box.node && n.formula && [token(n.formula.text)],
          box.node && n.numbers && [{...token(n.numbers.text), ref: referenceTo('value', n.id)}],
          ...resultLines(arrayOf(n.value), referenceTo('value', n.id)),
        ]),
      ),
  seed: (event, {scene: {graph}}) => [equation('gradient', graph.loss.gradient_name, [[token('1')]])],
  backward: ({box, wires}, app) =>
    [
      ...(wires.length <= MOST_FLOWS ? wires.flatMap(w => [flowBlock(w, app), arrivalBlock(w, app)]) : [flowsTable(wires, app)]),
      ...(box.node ? [] : staysInside(box, app)),
    ]
      .flat(Infinity)
      .filter(Boolean),
};

const MOST_FLOWS = 2; // contributions of one step that are told in full

/** What a module keeps of what arrives at it: the gradients of the inputs inside. */
function staysInside(box, app) {
  const inputs = givenInside(box).filter(item => item.node.gradient);
  return inputs.length ? [html('p', {class: 'quiet stays'}, 'Stays inside:'), inputTable(app, inputs, 6)] : [];
}

/** Many contributions of one step, a row for each. */
function flowsTable(wires, app) {
  const few = wires.slice(0, MOST_TERMS);
  return html(
    'div',
    {},
    table(
      ['to', 'contribution', 'arrived'],
      few.map(w => {
        const {arrived, owed} = app.film.gradient(w.value, w.upper, app.step),
          all = arrived.length + owed.length;
        return [
          itemLink(app, app.graph.item(w.value.id)),
          contributionCell(app, w),
          all > 1 ? `Σ ${arrived.length} of ${all}` : 'all',
        ];
      }),
    ),
    andMore(wires.length - few.length),
  );
}

function givenBlock(scene) {
  const given = scene.boxes.filter(box => box.node && !isComputed(box)),
    few = given.slice(0, 8);
  return [
    ...few.map(({node}) => equation('value', node.name, resultLines(arrayOf(node.value), referenceTo('value', node.id)))),
    given.length > few.length && html('p', {class: 'quiet'}, `… and ${given.length - few.length} more`),
  ].filter(Boolean);
}

/** The lines of an array as a result; the last part of an equation. */
function resultLines(array, ref) {
  const lines = cellLines(array)
    .slice(0, MOST_LINES)
    .map(tokens => referred(tokens, ref));
  return [{isResult: true, lines}];
}

/** A name, and what it is equal to, line by line; parts that are missing are left out. */
function equation(kind, name, parts) {
  const rows = parts.filter(Boolean).map(part =>
    part.isResult
      ? html(
          'div',
          {class: `result ${kind}`},
          part.lines.map(tokens => html('div', {}, spans(tokens))),
        )
      : html('div', {class: 'part'}, spans(part)),
  );
  return html(
    'div',
    {class: 'equation'},
    html('div', {class: `left ${kind}`}, name),
    html(
      'div',
      {class: 'rows'},
      rows.map(row => html('div', {class: 'row'}, html('span', {class: 'equals'}, '='), row)),
    ),
  );
}

/** What arrives × the local derivative = the contribution. */
function flowBlock(w, {scene}) {
  const name = `to ${w.value.name}`,
    ref = referenceTo('flow', w.key),
    result = resultLines(w.contribution, ref);
  if (w.edges.length > 1)
    return equation('gradient', name, [
      [token(`the sum of what flows along ${counted(w.edges.length, 'edge')} inside`)],
      ...result,
    ]);
  const [e] = w.edges,
    from = scene.graph.node(e.from);
  if (!isSingle(w.lower)) return equation('gradient', name, result);
  return equation('gradient', name, [...factors(e, from), ...result]);
}

/** An edge as a formula, and with its numbers put in. */
function factors(e, from) {
  const upstream = from.gradient && referred(inlineTokens(arrayOf(from.gradient)), referenceTo('gradient', from.id));
  if (!e.local)
    return [
      [token(e.rule ?? `rule of ${called(from)}, of ${from.gradient_name}`)],
      e.numbers ? [{...token(e.numbers), ref: referenceTo('gradient', from.id)}] : upstream,
    ];
  const more = e.summed ? [token(', summed')] : [],
    local = referred(inlineTokens(arrayOf(e.local.value)), referenceTo('local', e.id));
  const isNegative = local[0].text.startsWith('-');
  return [
    [token(`${from.gradient_name} × ${grouping(e.local.formula ?? `slope of ${called(from)}`)}`), ...more],
    upstream && [...upstream, token(' × '), ...(isNegative ? [token('('), ...local, token(')')] : local), ...more],
  ];
}

/** A formula in parentheses, if it needs them as a factor. */
function grouping(formula) {
  let depth = 0,
    isLoose = formula.startsWith('-');
  for (const [i, c] of [...formula].entries()) {
    if ('([{'.includes(c)) depth++;
    if (')]}'.includes(c)) depth--;
    if (depth === 0 && i > 0 && /[-+<>=!]/.test(c) && formula[i - 1] === ' ') isLoose = true;
  }
  return isLoose ? `(${formula})` : formula;
}

/** What has arrived at a value by now, and what is still owed. */
function arrivalBlock(w, app) {
  const found = app.film.gradient(w.value, w.upper, app.step);
  if (!found) return null;
  const {arrived, owed, complete, array} = found,
    all = arrived.length + owed.length,
    ref = referenceTo('gradient', w.value.id);
  if (all === 1)
    return isSingle(w.upper)
      ? html('p', {class: 'arrival'}, `${BACK} This is all of `, html('span', {class: 'gradient'}, w.value.gradient_name), '.')
      : null;
  const head = complete
    ? `${all === 2 ? 'Both' : `All ${all}`} contributions have arrived:`
    : `${arrived.length} of ${all} contributions have arrived:`;
  const terms = arrived.length > 1 && arrived.length <= 6 ? [summedTokens(arrived)] : [];
  return html(
    'div',
    {class: `arrival ${complete ? '' : 'partial'}`},
    html('p', {}, html('span', {class: 'gradient'}, 'Σ '), head),
    equation('gradient', complete ? w.value.gradient_name : `${w.value.gradient_name} so far`, [
      ...terms,
      ...resultLines(array, ref),
    ]),
    owed.length ? html('p', {class: 'owed'}, 'Owed: from ', listed(owed.map(o => o.lower.name))) : null,
  );
}

function summedTokens(arrived) {
  return arrived.flatMap((w, k) => {
    const tokens = referred(inlineTokens(w.contribution), referenceTo('flow', w.key));
    const shown = k && tokens[0].text.startsWith('-') ? [token('('), ...tokens, token(')')] : tokens;
    return k ? [token(' + '), ...shown] : shown;
  });
}
