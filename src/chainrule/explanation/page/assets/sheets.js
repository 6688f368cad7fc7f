// A sheet is one of the panel's pages behind a tab: details, derivation, checks, notes.

class Sheets {
  constructor(app) {
    this.app = app;
    this.sheets = new Map();
    const {data} = app;
    this.details = new Details(app, this.add('details', 'Details'));
    if (data.derivation.length) this.add('derivation', 'Derivation').append(...derivation(data));
    if (data.checks.length) this.add('checks', 'Checks').append(checksTable(app));
    if (data.notes.length)
      this.add('notes', 'Notes').append(
        html(
          'ul',
          {},
          data.notes.map(note => html('li', {}, note)),
        ),
      );
    byId('tabs').addEventListener('keydown', e => this.key(e));
    app.on('selection', () => app.selected && this.show('details'));
    this.show('details');
  }

  add(key, title) {
    const sheet = html('div', {
      role: 'tabpanel',
      id: `sheet-${key}`,
      'aria-labelledby': `tab-${key}`,
      class: `sheet ${key}`,
      hidden: true,
      tabindex: -1,
    });
    const tab = html(
      'button',
      {type: 'button', role: 'tab', id: `tab-${key}`, 'aria-controls': `sheet-${key}`, onclick: () => this.show(key)},
      title,
    );
    byId('tabs').append(tab);
    byId('sheets').append(sheet);
    this.sheets.set(key, {sheet, tab});
    return sheet;
  }

  show(key) {
    for (const [other, {sheet, tab}] of this.sheets) {
      sheet.hidden = other !== key;
      tab.setAttribute('aria-selected', other === key);
      tab.tabIndex = other === key ? 0 : -1;
    }
  }

  key(event) {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key],
      keys = [...this.sheets.keys()];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const now = keys.findIndex(key => !this.sheets.get(key).sheet.hidden),
      next = keys[(now + by + keys.length) % keys.length];
    this.show(next);
    this.sheets.get(next).tab.focus();
  }
}

/** The derivation is markup that chainrule itself wrote, in MathML. */
function derivation(data) {
  return data.derivation.map(({title, html: markup}) => {
    const block = html('div', {class: 'math'});
    block.innerHTML = markup;
    return html('section', {}, html('h3', {}, title), block);
  });
}

function checksTable(app) {
  const rows = app.data.checks.map(c => {
    const item = app.graphs.first.named(c.node),
      name = `${c.node}${c.index.length ? `[${c.index.join(',')}]` : ''}`;
    const link = item
      ? html(
          'button',
          {
            type: 'button',
            class: 'link',
            onclick: () => {
              if (app.isSecond) app.setLevel('operations');
              app.select(item, {reveals: true});
              if (c.index.length) app.pin(raveled(c.index, item.node.shape));
            },
          },
          name,
        )
      : name;
    const residual = numberOf(c.residual);
    return [
      link,
      numberSpan(numberOf(c.gradient), null, 'gradient'),
      numberSpan(numberOf(c.difference)),
      html('span', {title: exactNumber(residual)}, residual === 0 ? '0' : residual.toExponential(0).replace('e+', 'e')),
      c.agrees ? html('span', {class: 'agrees'}, '✓ agrees') : html('span', {class: 'differs'}, `✗ ${c.note || 'differs'}`),
    ];
  });
  return html(
    'div',
    {},
    html('p', {class: 'quiet'}, 'Elements of the gradients beside central differences of the loss, computed in float64.'),
    table(['element', 'gradient', 'difference', 'residual', ''], rows, 'checks'),
  );
}
