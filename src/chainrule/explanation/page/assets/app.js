// The app is the state of the page, changed in one place; whatever shows a part of it listens to its events.
//
// Events: "scene" (other boxes), "step", "selection", "element", "stops", "playing".

class App {
  constructor(data) {
    this.data = data;
    this.graphs = {first: prepared(data.graph, data.loss), second: data.gates && prepared(data.gates, data.loss)};
    Object.assign(this, {
      listeners: new Map(),
      selected: null,
      element: null,
      stops: [],
      step: 0,
      level: null,
      isSecond: false,
      open: new Set(),
    });
  }

  on(event, listener) {
    push(this.listeners, event, listener);
  }

  tell(event, ...details) {
    for (const listener of this.listeners.get(event) ?? []) listener(...details);
  }

  get graph() {
    return this.graphs[this.isSecond ? 'second' : 'first'];
  }

  /** What is open at the beginning: runs are closed where there would be too many boxes. */
  firstOpen() {
    return openAt(firstLevel(this.data, this.graphs.first), this.graphs.first, MOST_BOXES);
  }

  get atLast() {
    return this.step === this.film.last;
  }

  // -------------------------------------------------------------------------------------- what is open
  /** Show a level; `open` may say which containers are open instead of those of the level. */
  setLevel(key, open = null, step = null) {
    const level = levelOf(key),
      wasSecond = this.isSecond,
      kept = this.selected?.item?.name;
    this.isSecond = Boolean(level.isSecond);
    this.open = open ?? openAt(level, this.graph);
    this.rebuild(wasSecond === this.isSecond ? step : (step ?? Infinity), true);
    if (wasSecond !== this.isSecond && kept) this.select(this.graph.named(kept));
  }

  /** The level whose containers are exactly those that are open; null if there is none. */
  levelNow() {
    const same = level => {
      const open = openAt(level, this.graph);
      return open.size === this.open.size && [...open].every(key => this.open.has(key));
    };
    return (
      LEVELS.find(level => Boolean(level.isSecond) === Boolean(this.isSecond) && !level.missing(this.data) && same(level))?.key ??
      null
    );
  }

  setOpen(item, isOpen) {
    if (!item?.isContainer || this.open.has(item.key) === isOpen) return;
    this.open = new Set(this.open);
    if (isOpen) for (const container of [item, ...item.above]) this.open.add(container.key);
    else this.open.delete(item.key);
    this.rebuild(null, false, item);
  }

  /** Open whatever an item is hidden in. */
  uncover(item) {
    const hidden = this.scene.hidden(item);
    if (!hidden.length) return;
    this.open = new Set([...this.open, ...hidden.map(container => container.key)]);
    this.rebuild(null, false, item);
  }

  /** Build the scene and its film anew, at the same event of the film as before unless a step is given. */
  rebuild(step, isNew, around = null) {
    const before = this.film,
      at = this.step;
    this.scene = new Scene(this.graph, this.open);
    this.film = new Film(this.scene);
    this.level = this.levelNow();
    this.step =
      step === null ? (before ? sameEvent(before, at, this.film) : this.film.last) : Math.min(Math.max(0, step), this.film.last);
    if (this.selected?.wire) {
      const wire = this.scene.wire.get(this.selected.wire.key);
      this.selected = wire ? {wire} : null;
    }
    this.tell('scene', {isNew, around});
    this.tell('selection');
  }

  // -------------------------------------------------------------------------------------- where we are
  goTo(step, how = {}) {
    const next = Math.min(Math.max(0, Math.round(step)), this.film.last);
    if (next === this.step) return;
    this.step = next;
    this.tell('step', how);
  }

  get event() {
    return this.film.steps[this.step];
  }

  /** Select an item, and open what it is hidden in. */
  select(item, how = {}) {
    if (item) this.uncover(item);
    this.setSelected(item ? {item} : null, how);
  }

  selectWire(wire, how = {}) {
    this.setSelected(wire ? {wire} : null, how);
  }

  setSelected(selected, how) {
    if (selected?.item === this.selected?.item && selected?.wire === this.selected?.wire) return;
    this.selected = selected;
    this.element = null;
    this.tell('selection', how);
  }

  /** Pin one element of the selected value; null lets it go. */
  pin(element, how = {}) {
    this.element = element;
    this.tell('element', how);
  }
}

function prepared(data, loss) {
  const graph = new Graph(data, loss);
  addRuns(graph);
  return graph;
}

/** The step of another film in which the same has happened. */
function sameEvent(film, step, next) {
  if (step >= film.last) return next.last;
  const event = film.steps[step],
    {scene} = next;
  if (event.kind === 'start') return 0;
  if (event.kind === 'seed') return next.seedStep;
  if (event.kind === 'forward') {
    const known = scene.boxes.filter(box => isInside(box, event.box) || isInside(event.box, box));
    return known.reduce((most, box) => Math.max(most, next.valueStep.get(box)), 1);
  }
  const edges = new Set(event.wires.flatMap(w => w.edges));
  const isOpened = scene.isFrame(event.box);
  const flown = scene.wires.filter(w => w.edges.some(e => edges.has(e)) || (w.flows && isOpened && isInside(w.lower, event.box)));
  return flown.reduce((most, w) => Math.max(most, w.step), next.seedStep);
}

function isInside(item, container) {
  return item === container || item.above.includes(container);
}
