// The details of a node, an edge or a module: all that is known of what is selected, at the step of now.

const FOCUSABLE = 'button, input, [tabindex]';

class Details {
  constructor(app, sheet) {
    Object.assign(this, {app, sheet, maps: new Maps(app)});
    app.on('selection', () => this.show());
    app.on('step', () => this.show(false));
    app.on('scene', () => this.show(false));
    app.on('element', () => this.maps.showElement());
  }

  show(isNew = true) {
    const {app} = this,
      {item, wire} = app.selected ?? {};
    const focused = [...this.sheet.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    this.maps.clear(isNew);
    const content = item
      ? item.node
        ? this.node(item)
        : containerDetails(this, item)
      : wire
        ? edgeDetails(this, wire)
        : this.nothing();
    this.sheet.replaceChildren(...content.flat(Infinity).filter(Boolean));
    this.maps.showElement();
    const panel = byId('panel'),
      tabs = byId('tabs').offsetTop;
    if (isNew && panel.scrollTop > tabs) panel.scrollTop = tabs;
    if (focused >= 0) this.sheet.querySelectorAll(FOCUSABLE)[focused]?.focus({preventScroll: true});
  }

  /** While nothing is selected: the gradients of what was given. */
  nothing() {
    const {app} = this,
      given = [...app.graph.items.values()].filter(item => item.node?.kind === 'input' && item.node.gradient).slice(0, 40);
    const known = given.map(item => [item, app.film.wholeGradient(item, app.step)]);
    return [
      html(
        'p',
        {class: 'quiet empty'},
        'Select a box or an edge to see all of it. Point at any number to see what it was made of.',
      ),
      given.length
        ? [
            html('h3', {}, 'Gradients'),
            table(
              ['in', 'value', 'gradient'],
              known.map(([item, whole]) => [
                itemLink(app, item),
                html(
                  'span',
                  {class: 'value'},
                  spans(referred(inlineTokens(arrayOf(item.node.value), 3), referenceTo('value', item.node.id))),
                ),
                whole
                  ? html(
                      'span',
                      {class: 'gradient'},
                      spans(referred(inlineTokens(whole, 3), referenceTo('gradient', item.node.id))),
                    )
                  : NOT_YET,
              ]),
            ),
          ]
        : null,
    ];
  }

  // -------------------------------------------------------------------------------------- a node
  node(item) {
    const {app} = this,
      n = item.node,
      box = app.scene.boxFor(item),
      isKnown = app.film.isComputed(box, app.step);
    const found = app.film.gradient(n, box, app.step),
      value = arrayOf(n.value),
      isArray = value.parts === null && value.shape.length > 0;
    return [
      this.title(item, n.operation ? called(n) : n.kind),
      this.facts(item, isKnown, isArray),
      ...(value.parts
        ? this.outputs(n, value, isKnown, found?.array)
        : [this.quantity('value', n.name, isKnown && value, referenceTo('value', n.id)), this.gradientOf(n, found)]),
      isArray ? this.maps.readout : null,
      this.maps.tables,
      branchTable(app, n, box),
      usesTables(app, item),
    ];
  }

  /** The outputs of an operation with several, each with its gradient. */
  outputs(n, value, isKnown, gradient) {
    return value.parts.flatMap((part, k) => [
      this.quantity('value', `${n.name}[${k}]`, isKnown && part, referenceTo('value', n.id)),
      gradient ? this.quantity('gradient', `${n.gradient_name}[${k}]`, gradient.parts[k], referenceTo('gradient', n.id)) : null,
    ]);
  }

  gradientOf(n, found) {
    if (!found)
      return n.gradient
        ? this.absent('gradient', n.gradient_name, 'nothing has arrived yet')
        : this.absent(
            'gradient',
            n.gradient_name,
            n.kind === 'constant' ? 'none: a constant' : 'none was asked for, or none flows',
          );
    return this.quantity(
      'gradient',
      found.complete ? n.gradient_name : `${n.gradient_name} so far`,
      found.array,
      referenceTo('gradient', n.id),
    );
  }

  title(item, kind) {
    const {app} = this,
      isOpen = item.isContainer && app.scene.isFrame(item),
      step = item.node && app.film.stepOf(item);
    return html(
      'div',
      {class: 'title'},
      html('h2', {}, item.name, ' ', html('span', {class: 'kind'}, kind)),
      html(
        'div',
        {class: 'actions'},
        item.node ? html('button', {type: 'button', onclick: () => app.goTo(step)}, 'Go to its step') : null,
        html('button', {type: 'button', onclick: () => addStop(app, {item})}, 'Stop here'),
        item.isContainer
          ? html('button', {type: 'button', onclick: () => app.setOpen(item, !isOpen)}, isOpen ? 'Close' : 'Open')
          : null,
      ),
    );
  }

  facts(item, isKnown, isArray) {
    const n = item.node,
      modules = item.above
        .filter(c => c.kind === 'group')
        .map(c => c.name)
        .at(-1);
    return definitionList([
      ['formula', n.formula && html('code', {}, n.formula.text)],
      [
        'numbers',
        n.numbers &&
          html('code', {class: 'long'}, isKnown ? spans([{...token(n.numbers.text), ref: referenceTo('value', n.id)}]) : NOT_YET),
      ],
      ['shape', isArray ? plainShape(n.shape) : null],
      ['dtype', n.dtype],
      ['source', n.source && html('code', {}, n.source)],
      ['module', modules],
      ['part of', n.inside && this.app.graph.node(n.inside).name],
    ]);
  }

  absent(kind, name, why) {
    return html(
      'div',
      {class: `quantity ${kind}`},
      html('h3', {}, kind === 'value' ? FORWARD : BACK, ' ', name),
      html('p', {class: 'quiet'}, why),
    );
  }

  /** A value or a gradient: a number, or a map of numbers with what is true of all of them. */
  quantity(kind, name, array, ref) {
    if (!array) return this.absent(kind, name, `${NOT_YET} not computed yet`);
    const head = html('h3', {}, kind === 'value' ? FORWARD : BACK, ' ', name);
    if (array.parts || !array.shape.length)
      return html(
        'div',
        {class: `quantity ${kind} single`},
        head,
        html('p', {class: 'big'}, spans(referred(inlineTokens(array), ref))),
      );
    return html(
      'div',
      {class: `quantity ${kind}`},
      head,
      this.maps.of(kind, name, array),
      statistics(array),
      histogram(array.stats),
    );
  }
}

function definitionList(rows) {
  return html(
    'dl',
    {},
    rows
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name, value]) => [html('dt', {}, name), html('dd', {}, value)]),
  );
}

/** What is true of all elements. */
function statistics({stats}) {
  if (!stats) return null;
  const numbers = [
    ['min', stats.min],
    ['max', stats.max],
    ['mean', stats.mean],
    ['norm', stats.norm],
  ].filter(([, x]) => !Number.isNaN(x));
  return html('p', {class: 'stats'}, [
    ...numbers.map(([name, x]) => html('span', {}, `${name} `, numberSpan(x))),
    html('span', {}, 'zeros ', html('b', {}, `${stats.zeros} of ${stats.count}`)),
    stats.nonfinite ? html('span', {class: 'warning'}, `${stats.nonfinite} not finite`) : null,
  ]);
}
