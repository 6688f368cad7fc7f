// A nest is a layout of frames within frames: each frame is laid out on its own, and then is one box in the layout around it.

const FRAME = {side: 14, top: 6, bottom: 14}; // free space inside a frame
const UNKNOWN_SIZE = [0, 0];

/** One frame, or the whole graph, on its way to a layout: its items, the ports on its border, and the edges between them. */
class Plan {
  constructor(container, items, head) {
    Object.assign(this, {container, items, head, entries: new Map(), exits: new Map(), edges: new Map()});
  }

  /** The port of a value that comes in above, or leaves below. */
  port(side, name) {
    const ports = this[side];
    if (!ports.has(name)) ports.set(name, {name, key: `${side} ${name}`});
    return ports.get(name);
  }

  /** An edge of a cord, with the cord's label on its last piece; pieces without a label are shared. */
  connect(upper, lower, exit, enter, label, cord) {
    const key = label ? cord.key : `${upper.key}>${lower.key}>${exit}>${enter}`;
    const edge = this.edges.get(key) ?? {upper, lower, exit, enter, label, weight: -1, cords: []};
    edge.cords.push(cord);
    if (cord.flowing.length) edge.weight = Math.max(edge.weight, cord.size);
    this.edges.set(key, edge);
  }

  /** The layers of this frame; ports and neighbours get their order from outside in. */
  layered(sizeOf) {
    const children = topological(
      this.items,
      [...this.edges.values()].filter(e => e.upper.kind && e.lower.kind),
      item => item.last,
    );
    this.members = [...(this.head ? [this.head] : []), ...this.entries.values(), ...children, ...this.exits.values()];
    this.number = new Map(this.members.map((member, k) => [member, k]));
    const edges = [...this.edges.values()].map(e => {
      const [upper, lower] = [this.number.get(e.upper), this.number.get(e.lower)];
      return upper < lower
        ? {...e, upper, lower}
        : {...e, upper: lower, lower: upper, exit: undefined, enter: undefined, isBackward: true};
    });
    const tops = this.members.length - children.length - this.exits.size;
    const pins = {
      head: this.head !== null,
      top: this.members.slice(0, tops).map((_, k) => k),
      bottom: [...this.exits.values()].map(p => this.number.get(p)),
    };
    const sizes = this.members.map(member => (member === this.head ? member.size : member.kind ? sizeOf(member) : [BEND, 0]));
    this.layers = new Layers(sizes, edges, pins);
  }

  /** The names of the ports of a frame in here, in the order of what is beside it on the layers above, or below. */
  around(frame, isBelow) {
    const {layers} = this,
      v = this.number.get(frame),
      near = isBelow ? layers.below[v] : layers.above[v];
    this.place ??= new Map(layers.layers.flatMap(row => row.map((u, i) => [u, i])));
    const links = [...near]
      .sort((a, b) => this.place.get(a) - this.place.get(b))
      .map(u => (isBelow ? v * PAIR + u : u * PAIR + v));
    return new Map([...new Set(links.map(link => layers.doors.get(link)))].map((name, i) => [name, i]));
  }

  /** Put the ports in the order in which their values come and go outside. */
  arrange(entries, exits) {
    this.entries = new Map([...this.entries].sort(([a], [b]) => entries.get(a) - entries.get(b)));
    this.exits = new Map([...this.exits].sort(([a], [b]) => exits.get(a) - exits.get(b)));
  }

  /** Where the ports are on the border, from its middle. */
  offsets() {
    const {boxes, width} = this.drawn;
    return new Map(
      [...this.entries.values(), ...this.exits.values()].map(port => {
        const box = boxes[this.number.get(port)];
        return [port.name, box.left + box.width / 2 - width / 2];
      }),
    );
  }
}

class Nest {
  /** `sizes` has the functions `box`, `label` and `head`, which give [width, height]; a cord without a label gets null. */
  constructor(scene, sizes) {
    Object.assign(this, {
      scene,
      sizes,
      plans: new Map(),
      boxes: new Map(),
      frames: new Map(),
      labels: new Map(),
      cords: new Map(),
    });
    for (const [container, items] of scene.inside) {
      const head = container === scene.graph.root ? null : {key: 'head', size: sizes.head(container)};
      this.plans.set(container, new Plan(container, items, head));
    }
    for (const cord of scene.cords) this.route(cord);
    const whole = this.finished(this.plans.get(scene.graph.root));
    this.put(whole, 0, 0);
    Object.assign(this, {width: whole.drawn.width, height: whole.drawn.height});
  }

  /** A cord from its upper box out of the frames around it, and into the frames around its lower box. */
  route(cord) {
    const {upper, lower} = cord,
      out = upper.above,
      into = lower.above,
      label = this.sizes.label(cord);
    const name = isSingle(upper) ? upper.key : cord.wires.length > 1 ? cord.key : `${upper.key}:${cord.wires[0].value.id}`;
    let common = 0,
      at = upper,
      exit = isSingle(upper) ? undefined : name;
    while (common + 1 < Math.min(out.length, into.length) && out[common + 1] === into[common + 1]) common++;
    for (let k = out.length - 1; k > common; k--) {
      const plan = this.plans.get(out[k]);
      plan.connect(at, plan.port('exits', name), exit, undefined, null, cord);
      [at, exit] = [out[k], name];
    }
    for (const [k, next] of [...into.slice(common + 1), lower].entries()) {
      const plan = this.plans.get(into[common + k]);
      const isEnd = next === lower;
      plan.connect(at, next, exit, isEnd ? undefined : name, isEnd ? label : null, cord);
      if (!isEnd) [at, exit] = [this.plans.get(next).port('entries', name), undefined];
    }
  }

  /** Lay out a frame: the order on its layers first, then the frames inside it, and, when their sizes are known, the places. */
  finished(plan) {
    plan.layered(item => (this.scene.isFrame(item) ? UNKNOWN_SIZE : this.sizes.box(item)));
    const {layers} = plan,
      doors = new Map();
    layers.order();
    plan.inner = plan.items
      .filter(item => this.scene.isFrame(item))
      .map(frame => {
        const inner = this.plans.get(frame),
          v = plan.number.get(frame);
        inner.arrange(plan.around(frame, false), plan.around(frame, true));
        this.finished(inner);
        layers.sizes[v] = [inner.drawn.width + 2 * FRAME.side, inner.drawn.height + FRAME.top + FRAME.bottom];
        doors.set(v, inner.offsets());
        return inner;
      });
    plan.drawn = new Places(layers, v => doors.get(v) ?? null).drawn();
    return plan;
  }

  /** Write down where everything is, seen from the whole graph. */
  put(plan, dx, dy) {
    const {drawn, layers, members} = plan,
      moved = box => ({...box, left: box.left + dx, top: box.top + dy});
    drawn.boxes.forEach((box, k) => {
      if (members[k].kind && !this.scene.isFrame(members[k])) this.boxes.set(members[k], moved(box));
    });
    plan.labelAt = new Map([...layers.label].map(([k, v]) => [v, drawn.labels[k]]));
    plan.segments = new Map();
    for (const [link, s] of drawn.segments) plan.segments.set(link, this.shifted(plan, s, link, dx, dy));
    layers.edges.forEach((e, k) => {
      for (const cord of e.cords) push(this.cords, cord, {plan, edge: k});
      if (drawn.labels[k]) this.labels.set(e.cords[0], moved(drawn.labels[k]));
    });
    for (const inner of plan.inner) {
      const box = moved(drawn.boxes[plan.number.get(inner.container)]),
        head = inner.drawn.boxes[0];
      const x = box.left + FRAME.side,
        y = box.top + FRAME.top;
      this.frames.set(inner.container, {...box, head: {...head, left: x + head.left, top: y + head.top}});
      this.put(inner, x, y);
    }
  }

  /** A segment in the whole graph; it has an arrow only at boxes, and at a port it reaches to the border of the frame. */
  shifted(plan, s, link, dx, dy) {
    const at = ([x, y]) => [x + dx, y + dy],
      {members, drawn} = plan,
      edge = plan.layers.edges[s.edge];
    const moved = {...s, start: at(s.start), leave: at(s.leave), arrive: at(s.arrive), end: at(s.end), cords: edge.cords};
    const upper = members[Math.floor(link / PAIR)],
      lower = members[link % PAIR],
      label = plan.labelAt.get(link % PAIR);
    if (label) moved.end = [moved.end[0], label.top + label.height + dy]; // behind the label, which may be empty yet
    if (upper && !upper.kind) moved.start = [moved.start[0], dy - FRAME.top];
    if (lower && !lower.kind) moved.end = [moved.end[0], dy + drawn.height + FRAME.bottom];
    return Object.assign(moved, {first: this.boxes.has(upper), last: this.boxes.has(lower), isBackward: edge.isBackward});
  }

  /** The segments that a cord runs along. */
  path(cord) {
    return (this.cords.get(cord) ?? []).flatMap(({plan, edge}) => plan.layers.path(edge).map(link => plan.segments.get(link)));
  }
}
