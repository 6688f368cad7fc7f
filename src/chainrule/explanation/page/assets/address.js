// An address is the part of the page's URL behind "#": it says what is shown, so that a link leads to the same place again.
//
// #level=operations&node=v3&at=0,2&step=12; where what is open is no level's choice, open=NAME,… stands instead of the level.

class Address {
  constructor(app) {
    Object.assign(this, {app, isReading: false, isNew: false, timer: null});
    for (const event of ['scene', 'selection', 'element', 'step']) app.on(event, () => this.changed(event !== 'step'));
    window.addEventListener('popstate', () => this.read());
    window.addEventListener('hashchange', () => this.read());
  }

  /** What is shown now. */
  now() {
    const {app} = this,
      {selected, scene} = app,
      parts = [];
    if (app.level) parts.push(['level', app.level]);
    else {
      if (app.isSecond) parts.push(['graph', 'gates']);
      parts.push([
        'open',
        scene.frames
          .map(item => addressOf(app.graph, item))
          .map(encodeURIComponent)
          .join(','),
      ]);
    }
    if (selected?.item) parts.push(['node', encodeURIComponent(addressOf(app.graph, selected.item))]);
    if (selected?.wire) parts.push(['edge', encodeURIComponent(selected.wire.key)]);
    if (app.element !== null && selected?.item?.node)
      parts.push(['at', unraveled(app.element, selected.item.node.shape).join(',')]);
    if (!app.atLast) parts.push(['step', app.step]);
    return `#${parts.map(([name, value]) => `${name}=${value}`).join('&')}`;
  }

  /** Steps replace the entry of the browser's history, everything else makes a new one: one, however much changed at once. */
  changed(isNew) {
    if (this.isReading) return;
    this.isNew ||= isNew;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), this.isNew ? 0 : 200);
  }

  write() {
    const hash = this.now(),
      how = this.isNew ? 'pushState' : 'replaceState';
    this.isNew = false;
    if (hash === this.written) return;
    this.written = hash;
    try {
      history[how](null, '', hash);
    } catch {
      return; // a page inside another one may have no address of its own
    }
  }

  /** Show what the address says; names that are not there are said in a message. */
  read() {
    const {hash} = window.location;
    if (hash === this.written) return;
    this.isReading = true;
    this.written = hash;
    const missing = this.follow(
      new Map(
        hash
          .slice(1)
          .split('&')
          .filter(Boolean)
          .map(part => {
            const [name, ...value] = part.split('=');
            return [name, value.join('=')];
          }),
      ),
    );
    this.isReading = false;
    if (missing.length) say(`Not on this page: ${missing.join(', ')}.`);
  }

  follow(parts) {
    const {app} = this,
      missing = [],
      known = ['level', 'graph', 'open', 'node', 'edge', 'at', 'step'];
    missing.push(...[...parts.keys()].filter(name => !known.includes(name)).map(name => shortened(unescaped(name))));
    this.followLevel(parts, missing);
    const step = parts.has('step') ? Number(parts.get('step')) : app.film.last;
    if (Number.isInteger(step) && step >= 0 && step <= app.film.last) app.goTo(step, {isSpoken: false});
    else missing.push(`step ${shortened(parts.get('step'))}`);
    const name = parts.has('node') ? unescaped(parts.get('node')) : null,
      item = name === null ? null : app.graph.named(name);
    if (name !== null && !item) missing.push(`node ${shortened(name)}`);
    const wire = parts.has('edge') ? app.scene.wire.get(unescaped(parts.get('edge'))) : null;
    if (parts.has('edge') && !wire) missing.push(`edge ${shortened(unescaped(parts.get('edge')))}`);
    if (wire) app.selectWire(wire);
    else app.select(item, {reveals: item !== null});
    if (item?.node && parts.has('at')) this.followElement(item.node, parts.get('at'), missing);
    return missing;
  }

  followLevel(parts, missing) {
    const {app} = this;
    if (parts.has('open')) {
      const isSecond = parts.get('graph') === 'gates' && app.graphs.second,
        graph = isSecond ? app.graphs.second : app.graphs.first;
      const names = parts.get('open').split(',').filter(Boolean).map(unescaped);
      const found = names.map(name => graph.containerNamed(name)).filter(Boolean);
      missing.push(...names.filter(name => !graph.containerNamed(name)).map(name => `module ${shortened(name)}`));
      app.setLevel(
        isSecond ? 'gates' : 'operations',
        new Set(found.flatMap(item => [item, ...item.above]).map(item => item.key)),
        Infinity,
      );
      return;
    }
    const first = firstLevel(app.data, app.graphs.first).key,
      asked = parts.get('level'),
      level = levelOf(asked ?? first);
    const isMissing = !level || level.missing(app.data) !== null;
    if (isMissing) missing.push(`level ${shortened(asked)}`);
    if (asked === undefined || isMissing) app.setLevel(first, app.firstOpen(), Infinity);
    else if (app.level !== asked) app.setLevel(asked, null, Infinity);
  }

  followElement(node, at, missing) {
    const index = at.split(',').map(Number);
    const isThere =
      index.length === node.shape.length && index.every((i, axis) => Number.isInteger(i) && i >= 0 && i < node.shape[axis]);
    if (isThere && arrayOf(node.value).data) this.app.pin(raveled(index, node.shape));
    else missing.push(`element ${shortened(at)}`);
  }
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function shortened(text) {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
