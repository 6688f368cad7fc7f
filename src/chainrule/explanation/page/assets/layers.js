// Layers are boxes, labels and bends of edges on their way to a layout: boxes on the even layers, labels on the odd ones.
//
// The method of K. Sugiyama, S. Tagawa and M. Toda, Methods for Visual Understanding of Hierarchical System Structures (1981), as
// in layout.py: without frames it gives the same places. Boxes pinned to top and bottom are the head and the ports of a frame.

const BESIDE = 22,
  BETWEEN = 20; // free space between boxes of a layer, and between layers
const BEND = 10; // the width kept free for an edge that passes a layer
const ORDERINGS = 12; // sweeps
const TRUNK = 8,
  SPINE = 200; // how straight a long edge, and an edge of a longest path, wants to be beside others
const PAIR = 2 ** 26; // a link of two vertices is one number

/**
 * An edge is {upper, lower, label: [width, height] or null, weight, exit, enter}: from box `upper` down to box `lower`, which
 * comes later. Edges that leave a box by the same `exit` share a trunk; a frame knows where on its border `exit` and `enter`
 * are. `pins` has the lists `top` and `bottom` of boxes that stand on the first and the last layer, in this order; with `head`,
 * the first at the top is the head of the frame, which stands at its left.
 */
class Layers {
  constructor(sizes, edges, pins = {head: false, top: [], bottom: []}) {
    Object.assign(this, {
      edges,
      pins,
      count: sizes.length,
      sizes: [...sizes],
      label: new Map(),
      trunks: [],
      trunkOf: [],
      strongest: new Map(),
    });
    this.depth = this.depths();
    this.rank = this.ranks().map(r => 2 * r);
    this.pull = sizes.map(() => 1);
    this.above = sizes.map(() => []);
    this.below = sizes.map(() => []);
    this.doors = new Map(); // by link at a frame: the name of the port
    const outgoing = sizes.map(() => []);
    edges.forEach((e, k) => outgoing[e.upper].push(k));
    outgoing.forEach((numbers, upper) => {
      for (const together of grouped(numbers, k => edges[k].exit).values()) this.route(upper, together);
    });
    this.layers = Array.from({length: this.rank.reduce((a, b) => Math.max(a, b), -1) + 1}, () => []);
  }

  /** How many edges the longest path down to each box has; ports above come before all others, ports below after them. */
  depths() {
    const depth = new Array(this.count).fill(this.pins.top.length ? 1 : 0);
    for (const v of this.pins.top) depth[v] = 0;
    const byLower = [...this.edges].sort((a, b) => a.lower - b.lower);
    for (const e of byLower) depth[e.lower] = Math.max(depth[e.lower], depth[e.upper] + 1);
    const bottom = new Set(this.pins.bottom),
      least = depth.reduce((most, d, v) => (bottom.has(v) ? most : Math.max(most, d + 1)), 0);
    for (const v of bottom) depth[v] = least;
    return depth;
  }

  /** The layer of each box: its depth; but a source stands right above what first uses it. */
  ranks() {
    const {depth, pins} = this,
      none = this.count + 2,
      first = new Array(this.count).fill(none),
      least = pins.top.length ? 1 : 0;
    const pinned = new Set([...pins.top, ...pins.bottom]);
    for (const e of this.edges) first[e.upper] = Math.min(first[e.upper], depth[e.lower]);
    return depth.map((d, v) => (d === least && first[v] < none && !pinned.has(v) ? first[v] - 1 : d));
  }

  added(size, rank, pull) {
    this.sizes.push(size);
    this.pull.push(pull);
    this.rank.push(rank);
    this.above.push([]);
    this.below.push([]);
    return this.sizes.length - 1;
  }

  join(upper, lower, edge) {
    const link = upper * PAIR + lower,
      before = this.strongest.get(link);
    if (before === undefined) {
      this.below[upper].push(lower);
      this.above[lower].push(upper);
    }
    if (before === undefined || this.edges[edge].weight > this.edges[before].weight) this.strongest.set(link, edge);
    const {exit, enter} = this.edges[edge];
    if (exit !== undefined && upper < this.count) this.doors.set(link, exit);
    if (enter !== undefined && lower < this.count) this.doors.set(link, enter);
  }

  /** The edges out of one box, the farthest first: each leaves the trunk above its label, or above its end. */
  route(upper, numbers) {
    const {edges, rank} = this,
      ends = new Map(numbers.map(k => [k, rank[edges[k].lower] - 1 - (edges[k].label ? 1 : 0)]));
    const trunk = [upper],
      base = rank[upper],
      farthest = numbers.reduce((most, k) => Math.max(most, ends.get(k)), 0);
    while (base + trunk.length - 1 < farthest) trunk.push(this.added([BEND, 0], base + trunk.length, TRUNK));
    const leaving = [...numbers].sort((a, b) => ends.get(a) - ends.get(b)),
      farthestFirst = [...leaving].reverse();
    let strongest = -1;
    for (let at = trunk.length - 1; at > 0; at--) {
      while (leaving.length && ends.get(leaving.at(-1)) >= base + at) {
        const k = leaving.pop();
        strongest = strongest < 0 || edges[k].weight > edges[strongest].weight ? k : strongest;
      }
      this.join(trunk[at - 1], trunk[at], strongest);
    }
    for (const k of numbers) {
      let vertex = trunk[ends.get(k) - base];
      const {lower, label} = edges[k];
      if (label) {
        this.label.set(k, this.added(label, ends.get(k) + 1, this.depth[lower] === this.depth[upper] + 1 ? SPINE : 1));
        this.join(vertex, this.label.get(k), k);
        vertex = this.label.get(k);
      }
      this.join(vertex, lower, k);
    }
    const whole = {vertices: trunk, edges: farthestFirst, leaves: farthestFirst.map(k => ends.get(k) - base)};
    this.trunks.push(whole);
    for (const k of numbers) this.trunkOf[k] = whole;
  }

  /** The links that an edge runs along, from its upper box to its lower one. */
  path(k) {
    const {vertices, edges, leaves} = this.trunkOf[k],
      ends = [this.label.get(k) ?? [], this.edges[k].lower].flat();
    const passed = [...vertices.slice(0, leaves[edges.indexOf(k)] + 1), ...ends];
    return passed.slice(1).map((v, i) => passed[i] * PAIR + v);
  }

  /** Start from a walk up from the sinks, then sweep down and up by turns, and keep the order with the fewest crossings. */
  order() {
    for (const v of this.walk()) this.layers[this.rank[v]].push(v);
    const {top, bottom} = this.pins;
    if (top.length) this.layers[0] = [...top];
    if (bottom.length) this.layers[this.layers.length - 1] = [...bottom];
    let best = this.layers.map(layer => [...layer]),
      fewest = this.crossings();
    for (let sweep = 0; sweep < ORDERINGS && fewest; sweep++) {
      this.sortLayers(sweep % 2 === 0);
      const found = this.crossings();
      if (found < fewest) {
        best = this.layers.map(layer => [...layer]);
        fewest = found;
      }
    }
    this.layers = best;
  }

  walk() {
    const seen = new Uint8Array(this.sizes.length),
      order = [];
    for (let root = 0; root < this.sizes.length; root++) {
      const stack = this.below[root].length ? [] : [root];
      while (stack.length) {
        const v = stack.pop();
        if (!seen[v]) {
          seen[v] = 1;
          order.push(v);
          for (let k = this.above[v].length - 1; k >= 0; k--) stack.push(this.above[v][k]);
        }
      }
    }
    return order;
  }

  sortLayers(down) {
    const {layers, pins} = this,
      neighbours = down ? this.above : this.below,
      place = new Float64Array(this.sizes.length);
    const centre = new Float64Array(this.sizes.length),
      turn = down ? layers : [...layers].reverse();
    for (let k = 0; k + 1 < turn.length; k++) {
      const beside = turn[k + 1];
      if (k + 2 === turn.length && (down ? pins.bottom : pins.top).length) continue;
      turn[k].forEach((v, i) => (place[v] = i));
      beside.forEach((v, i) => {
        const near = neighbours[v];
        centre[v] = near.length ? near.reduce((sum, u) => sum + place[u], 0) / near.length : i;
      });
      beside.sort((a, b) => centre[a] - centre[b]);
    }
  }

  crossings() {
    let total = 0;
    const place = new Int32Array(this.sizes.length);
    for (let k = 0; k + 1 < this.layers.length; k++) {
      const layer = this.layers[k],
        lower = this.layers[k + 1],
        passed = new Int32Array(lower.length + 1);
      lower.forEach((v, i) => (place[v] = i));
      let count = 0;
      for (const v of layer) {
        const ends = this.below[v].map(u => place[u]);
        for (const end of ends) total += count - countedUpTo(passed, end + 1);
        for (const end of ends) countOne(passed, end + 1);
        count += ends.length;
      }
    }
    return total;
  }
}

/** How many were counted at places up to `at`: partial sums in a tree (P. Fenwick, 1994). */
function countedUpTo(tree, at) {
  let sum = 0;
  for (let k = at; k > 0; k -= k & -k) sum += tree[k];
  return sum;
}

function countOne(tree, at) {
  for (let k = at; k < tree.length; k += k & -k) tree[k]++;
}
