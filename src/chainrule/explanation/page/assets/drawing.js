// A drawing is the part of the graph that is in sight: elements are made when they come into sight, and removed when they leave.

const NEAR = 0.42,
  MIDDLE = 0.13; // scales from which boxes have all their lines, and from which they are boxes at all
const AROUND = 0.35; // how much is drawn beyond the edges of the window, in windows
const LAYERS_OF_ELEMENTS = ['frames', 'back', 'forward', 'boxes', 'labels'];

class Drawing {
  constructor(root, onmove) {
    this.root = root;
    this.view = svg('g', {class: 'camera'});
    this.far = svg('g', {class: 'far'});
    this.layer = Object.fromEntries(LAYERS_OF_ELEMENTS.map(name => [name, svg('g', {class: name})]));
    this.marks = {below: svg('g', {class: 'marks'}), above: svg('g', {class: 'marks'})};
    this.view.append(
      this.layer.frames,
      this.far,
      this.layer.back,
      this.layer.forward,
      this.marks.below,
      this.layer.boxes,
      this.layer.labels,
      this.marks.above,
    );
    root.append(definitions(), this.view);
    this.elements = new Map(); // by key, those that are drawn: {element, written}
    this.camera = new Camera(root, () => {
      this.view.setAttribute('transform', `translate(${this.camera.left} ${this.camera.top}) scale(${this.camera.scale})`);
      this.later();
      onmove();
    });
    this.isWhole = false; // drawn without regard to the window, to be measured or printed
  }

  /** Lay a scene out and draw it anew. */
  show(scene, film, step) {
    Object.assign(this, {scene, film, step, widest: widestOf(scene), drawnWindow: null});
    this.nest = new Nest(scene, {box: box => boxSize(box, film), label: cord => labelSize(cord, film), head: headSize});
    const {nest} = this;
    this.things = [
      ...[...nest.frames].map(([item, place]) => ({key: `frame ${item.key}`, layer: 'frames', item, place})),
      ...strokesOf(nest),
      ...[...nest.boxes].map(([box, place]) => ({key: `box ${box.key}`, layer: 'boxes', box, place})),
      ...[...nest.labels].map(([cord, place]) => ({key: `label ${cord.key}`, layer: 'labels', cord, place})),
    ];
    this.flown = new Map();
    for (const {element} of this.elements.values()) element.remove();
    this.elements.clear();
    const loss = nest.boxes.get(scene.boxFor(scene.graph.item(scene.graph.loss.id)));
    this.camera.bounds = {width: nest.width, height: nest.height, target: loss};
    this.go(step);
  }

  /** Write what is known at a step into everything that is drawn. */
  go(step) {
    this.step = step;
    this.flown = new Map([...this.nest.plans.values()].filter(p => p.layers).map(p => [p, flownUntil(p, step)]));
    this.drawnWindow = null;
    this.draw();
  }

  get detail() {
    if (this.isWhole || this.camera.scale >= NEAR) return 'near';
    return this.camera.scale >= MIDDLE || this.scene.boxes.length <= 40 ? 'middle' : 'far';
  }

  later() {
    this.request ??= requestAnimationFrame(() => this.draw());
  }

  /** Bring the elements in line with what is in sight. */
  draw() {
    cancelAnimationFrame(this.request);
    this.request = null;
    if (!this.nest) return;
    const {camera, detail} = this,
      inner = camera.window();
    const isRescaled = detail === 'middle' && !(Math.abs(Math.log(camera.scale / this.drawnScale)) < Math.log(1.3));
    if (this.drawnWindow && detail === this.drawnDetail && !isRescaled && contains(this.drawnWindow, inner)) return;
    if (detail !== this.drawnDetail || isRescaled) {
      this.drawnScale = camera.scale;
      for (const {element} of this.elements.values()) element.remove();
      this.elements.clear();
    }
    const window = this.isWhole || detail === 'far' ? EVERYWHERE : camera.window(AROUND);
    Object.assign(this, {drawnWindow: window, drawnDetail: detail});
    this.root.setAttribute('data-detail', detail);
    this.far.replaceChildren(...(detail === 'far' ? this.silhouettes() : []));
    this.reconcile(
      detail === 'far'
        ? this.things.filter(t => t.layer === 'frames')
        : this.things.filter(t => touches(t.place, window) && (detail === 'near' || t.layer !== 'labels')),
    );
    this.ondraw?.();
  }

  reconcile(wanted) {
    const keys = new Set(wanted.map(t => t.key));
    for (const [key, {element}] of this.elements) {
      if (!keys.has(key)) {
        element.remove();
        this.elements.delete(key);
      }
    }
    for (const thing of wanted) {
      let drawn = this.elements.get(thing.key);
      if (!drawn) {
        this.elements.set(thing.key, (drawn = {element: this.made(thing), written: null, thing}));
        this.layer[thing.layer].append(drawn.element);
      }
      this.write(drawn, thing);
    }
  }

  made(thing) {
    const {graph} = this.scene,
      isSimple = this.detail !== 'near';
    if (thing.layer === 'frames') return frameShape(thing.item, thing.place, isSimple);
    if (thing.layer === 'boxes') return boxShape(thing.box, thing.place, graph, isSimple ? this.drawnScale : 0);
    if (thing.layer === 'labels') return labelShape(thing.cord, thing.place);
    return thing.layer === 'back' ? bandShape(thing) : lineShape(thing);
  }

  /** Rewrite an element if something has changed in it since. */
  write(drawn, thing) {
    const {film, step} = this,
      {element} = drawn;
    if (thing.layer === 'boxes') {
      const state = stateOf(thing.box, film, step);
      element.classList.toggle('pending', !film.isComputed(thing.box, step));
      if (drawn.written !== state) writeBox(element, thing.box, thing.place, film, step);
      drawn.written = state;
    } else if (thing.layer === 'labels') {
      const state = thing.cord.flowing.filter(w => w.step <= step).length;
      if (drawn.written !== state) writeLabel(element, thing.cord, thing.place, step);
      drawn.written = state;
    } else if (thing.layer === 'forward') {
      element.classList.toggle('pending', !film.isComputed(thing.cord.upper, step));
    } else if (thing.layer === 'back') {
      const size = this.flown.get(thing.plan).get(thing.link) ?? -1;
      element.setAttribute('stroke-width', size < 0 ? 0 : thickness(size, this.widest).toFixed(2));
      element.classList.toggle('none', size < 0);
      element.classList.toggle('zero', size === 0);
    }
  }

  /** All boxes and edges in a few elements: what is seen from afar. */
  silhouettes() {
    const bands = new Map(),
      lines = [],
      boxes = new Map();
    for (const t of this.things) {
      if (t.layer === 'boxes') {
        const {left, top, width, height} = t.place;
        const kind = boxClass(t.box, this.scene.graph) + (this.film.isComputed(t.box, this.step) ? '' : ' pending');
        push(boxes, kind, `M${round(left)} ${round(top)}h${round(width)}v${round(height)}h${-round(width)}z`);
      } else if (t.layer === 'forward') {
        lines.push(downwards(t.s));
      } else if (t.layer === 'back') {
        const size = this.flown.get(t.plan).get(t.link) ?? -1;
        if (size >= 0) push(bands, Math.ceil(thickness(size, this.widest)), upwards(t.s));
      }
    }
    return [
      ...[...bands].map(([width, d]) => svg('path', {class: 'back', 'stroke-width': width, d: d.join('')})),
      svg('path', {class: 'forward', d: lines.join('')}),
      ...[...boxes].map(([kind, d]) => svg('g', {class: `box ${kind}`}, svg('path', {class: 'shape', d: d.join('')}))),
    ];
  }

  /** Draw all there is, with all its lines, while `use` is called. */
  whole(use) {
    this.isWhole = true;
    this.drawnWindow = null;
    this.draw();
    const result = use();
    this.isWhole = false;
    this.drawnWindow = null;
    this.draw();
    return result;
  }

  element(key) {
    return this.elements.get(key)?.element ?? null;
  }

  /** Where an item is drawn, as a box or as a frame. */
  placeOf(item) {
    return this.nest.boxes.get(item) ?? this.nest.frames.get(item) ?? this.nest.boxes.get(this.scene.boxFor(item));
  }
}

const EVERYWHERE = {left: -Infinity, top: -Infinity, right: Infinity, bottom: Infinity};

function contains(outer, inner) {
  return outer.left <= inner.left && outer.top <= inner.top && outer.right >= inner.right && outer.bottom >= inner.bottom;
}

function touches(place, window) {
  return (
    place.left < window.right &&
    place.top < window.bottom &&
    place.left + place.width > window.left &&
    place.top + place.height > window.top
  );
}

function stateOf(box, film, step) {
  const nodes = box.node ? [box.node] : film.scene.shown(box);
  return [
    film.isComputed(box, step),
    ...nodes.map(n => {
      const found = film.gradient(n, box, step);
      return found ? `${found.arrived.length}/${found.owed.length}` : '-';
    }),
  ].join(' ');
}

/** The segments of all frames, each with the room it takes. */
function strokesOf(nest) {
  return [...nest.plans.values()].flatMap((plan, p) =>
    [...(plan.segments ?? [])]
      .map(([link, s]) => {
        const xs = [s.start[0], s.end[0]],
          left = Math.min(...xs) - WIDEST,
          top = s.start[1];
        const place = {left, top, width: Math.max(...xs) + WIDEST - left, height: s.end[1] - top};
        const stroke = {plan, link, s, cord: s.cords[0], place},
          flows = s.cords.some(c => c.flowing.length);
        return [
          ...(flows ? [{...stroke, key: `band ${p} ${link}`, layer: 'back'}] : []),
          {...stroke, key: `line ${p} ${link}`, layer: 'forward'},
        ];
      })
      .flat(),
  );
}

function definitions() {
  return svg(
    'defs',
    {},
    svg(
      'marker',
      {id: 'up', markerUnits: 'userSpaceOnUse', markerWidth: 14, markerHeight: 9, refX: 8, refY: 4.5, orient: 'auto'},
      svg('polygon', {class: 'up', points: '0,0 9,4.5 0,9'}),
    ),
    svg(
      'marker',
      {id: 'down', markerUnits: 'userSpaceOnUse', markerWidth: 8, markerHeight: 6, refX: 6, refY: 3, orient: 'auto'},
      svg('polygon', {class: 'down', points: '0,0 7,3 0,6'}),
    ),
    svg(
      'pattern',
      {id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)'},
      svg('line', {x1: 0, x2: 0, y1: 0, y2: 6, 'stroke-width': 2.4}),
    ),
  );
}
