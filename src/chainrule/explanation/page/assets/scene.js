// A scene is what is drawn while certain containers are open: boxes, frames around boxes, and wires between boxes.

const MOST_WIRES = 4; // that are drawn one by one between the same two boxes, where one of them is a closed container

/** What joins two boxes for one value: `edges` from the `lower` box back to the `upper` one; none if only a value goes down. */
class Wire {
  constructor(key, value, upper, lower, edges) {
    Object.assign(this, {key, value, upper, lower, edges});
    this.step = Infinity; // of the player, at which it flows
  }

  get flows() {
    return this.edges.length > 0;
  }

  /** What it contributes: of several edges, the sum. */
  get contribution() {
    return (this.sum ??= sumOf(this.edges.map(e => arrayOf(e.contribution))));
  }

  /** The norm of the contribution. */
  get size() {
    if (!this.flows) return 0;
    return this.edges.length === 1
      ? numberOf(this.edges[0].size)
      : (normOf(this.contribution) ?? this.edges.reduce((m, e) => Math.max(m, numberOf(e.size)), 0));
  }
}

/** What is drawn between two boxes: one wire, or so many that they are drawn as one. */
class Cord {
  constructor(wires) {
    const [{key, upper, lower}] = wires;
    Object.assign(this, {key, upper, lower, wires, flowing: wires.filter(w => w.flows)});
  }

  get size() {
    return (this.most ??= this.flowing.reduce((most, w) => Math.max(most, w.size), 0));
  }
}

class Scene {
  constructor(graph, open) {
    Object.assign(this, {graph, open, boxOf: new Map(), boxes: [], frames: [], wires: [], inside: new Map()});
    this.place(graph.root);
    this.wires = [...this.flowing(), ...this.passing()];
    this.arrivals = grouped(
      this.wires.filter(w => w.flows),
      w => this.gradientKey(w.value, w.upper),
    );
    this.wiresOf = new Map(this.boxes.map(box => [box, {above: [], below: []}]));
    for (const w of this.wires) {
      this.wiresOf.get(w.lower).above.push(w);
      this.wiresOf.get(w.upper).below.push(w);
    }
    this.boxes = topological(this.boxes, this.wires, box => box.last);
    this.cords = [...corded(this.wires)];
    this.wire = new Map(this.wires.map(w => [w.key, w]));
    this.cord = new Map(this.cords.map(cord => [cord.key, cord]));
    this.cordAround = new Map(this.cords.flatMap(cord => cord.wires.map(w => [w, cord])));
  }

  /** Take the children of an open container as boxes, or as frames with their children. */
  place(container) {
    const items = [];
    for (const item of container.children) {
      if (!item.isContainer || !this.open.has(item.key)) {
        if (item.isContainer && !item.node && isEmpty(item)) continue;
        this.boxes.push(item);
        items.push(item);
      } else if (this.place(item)) {
        this.frames.push(item);
        items.push(item);
      }
    }
    this.inside.set(container, items);
    return items.length > 0;
  }

  cordOf(wire) {
    return this.cordAround.get(wire);
  }

  isFrame(item) {
    return item === this.graph.root || (this.inside.has(item) && item.isContainer);
  }

  /** The box in which an item's value is shown: its own, that of the closed container it is in, or the output of an open gate. */
  boxFor(item) {
    let found = this.boxOf.get(item);
    if (!found) {
      const closed = item.above.find(container => !this.isFrame(container));
      found = closed ?? (this.isFrame(item) ? this.boxFor(this.graph.item(item.node.output)) : item);
      this.boxOf.set(item, found);
    }
    return found;
  }

  /** Whether the edges of this node are drawn: not those of an open gate, and of a part only while its gate is open. */
  isDrawn(item) {
    if (this.isFrame(item)) return false;
    return item.node.inside === null || this.isFrame(this.graph.item(item.node.inside));
  }

  /** The wires of contributions: one for each edge between nodes; into or out of closed containers, one for each value. */
  flowing() {
    const found = new Map();
    for (const e of this.graph.edges.values()) {
      const from = this.graph.item(e.from),
        to = this.graph.item(e.to);
      if (!this.isDrawn(from)) continue;
      const upper = this.boxFor(to),
        lower = this.boxFor(from);
      if (upper === lower) continue;
      const single = isSingle(upper) && isSingle(lower);
      const key = single ? e.id : `${e.to}>${lower.key}`;
      const wire = found.get(key);
      if (wire) wire.edges.push(e);
      else found.set(key, new Wire(key, to.node, upper, lower, [e]));
    }
    return found.values();
  }

  /** The wires along which a value goes down, and nothing comes back. */
  passing() {
    const flowing = new Set(),
      found = new Map();
    for (const e of this.graph.edges.values()) flowing.add(`${e.to}>${this.boxFor(this.graph.item(e.from)).key}`);
    for (const n of this.graph.data.nodes) {
      const item = this.graph.item(n.id);
      if (!n.arguments.length || !this.isDrawn(item)) continue;
      const lower = this.boxFor(item);
      for (const a of n.arguments) {
        const upper = this.boxFor(this.graph.item(a)),
          key = `${a}>${lower.key}`;
        if (upper !== lower && !flowing.has(key)) found.set(key, new Wire(`value ${key}`, this.graph.node(a), upper, lower, []));
      }
    }
    return found.values();
  }

  /** Contributions to one value add up where it is shown; of a closed container each value on its own. */
  gradientKey(node, box) {
    return isSingle(box) ? box.key : `${box.key}:${node.id}`;
  }

  arriving(node, box = this.boxFor(this.graph.item(node.id))) {
    return this.arrivals.get(this.gradientKey(node, box)) ?? [];
  }

  /** The nodes whose values a box shows: its own, or those that leave a closed container. */
  shown(box) {
    if (box.node) return [box.node];
    const nodes = new Set(this.wiresOf.get(box).below.map(w => w.value));
    if (this.boxFor(this.graph.item(this.graph.loss.id)) === box) nodes.add(this.graph.loss);
    return [...nodes]
      .map(n => this.graph.item(n.id))
      .sort((a, b) => a.last - b.last)
      .map(item => item.node);
  }

  /** The containers that must be open for an item to be drawn. */
  hidden(item) {
    return item.above.filter(container => !this.isFrame(container));
  }
}

function* corded(wires) {
  for (const together of grouped(wires, w => `${w.upper.key}>${w.lower.key}`).values()) {
    const [{upper, lower}] = together;
    if (together.length > MOST_WIRES && !(isSingle(upper) && isSingle(lower))) yield new Cord(together);
    else for (const w of together) yield new Cord([w]);
  }
}

function isSingle(box) {
  return box.node !== null;
}

function isEmpty(container) {
  return container.children.every(child => child.isContainer && !child.node && isEmpty(child));
}

/** Items so ordered that wires lead from earlier to later ones, near to the order given; a circle of wires is cut. */
function topological(items, wires, priority) {
  const sorted = [...items].sort((a, b) => priority(a) - priority(b));
  const at = new Map(sorted.map((item, k) => [item, k]));
  if (wires.every(w => at.get(w.upper) <= at.get(w.lower))) return sorted;
  const waits = new Map(sorted.map(item => [item, 0])),
    next = grouped(wires, w => w.upper);
  for (const w of wires) if (w.upper !== w.lower) waits.set(w.lower, waits.get(w.lower) + 1);
  const order = [],
    left = new Set(sorted),
    ready = new Heap(
      sorted.filter(item => !waits.get(item)),
      item => at.get(item),
    );
  while (left.size) {
    const item = ready.pop() ?? left.values().next().value;
    if (!left.delete(item)) continue;
    order.push(item);
    for (const w of next.get(item) ?? []) {
      waits.set(w.lower, waits.get(w.lower) - 1);
      if (!waits.get(w.lower)) ready.push(w.lower);
    }
  }
  return order;
}

/** The smallest first. */
class Heap {
  constructor(items, key) {
    this.key = key;
    this.items = [];
    for (const item of items) this.push(item);
  }

  push(item) {
    const {items, key} = this;
    let at = items.push(item) - 1;
    for (let up; at > 0 && key(items[(up = (at - 1) >> 1)]) > key(item); at = up) items[at] = items[up];
    items[at] = item;
  }

  pop() {
    const {items, key} = this,
      [first] = items,
      last = items.pop();
    if (!items.length) return first;
    let at = 0;
    for (let down; (down = 2 * at + 1) < items.length; at = down) {
      if (down + 1 < items.length && key(items[down + 1]) < key(items[down])) down++;
      if (key(items[down]) >= key(last)) break;
      items[at] = items[down];
    }
    items[at] = last;
    return first;
  }
}
