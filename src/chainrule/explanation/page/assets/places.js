// A place is where a vertex of the layers is drawn: its layer moved under the middles of its neighbours, edges as curves between.

const PORTS = 26; // the farthest that neighbouring ends of edges at one box are apart
const SHIFTS = 24; // sweeps

class Places {
  /** `doors` gives, for a vertex that is a frame, where its ports are: a map from names to offsets from its middle; else null. */
  constructor(layers, doors = () => null) {
    Object.assign(this, {layers, doors, sizes: layers.sizes});
    this.x = new Float64Array(this.sizes.length);
    this.offsets = new Map();
    for (const [link, name] of layers.doors) {
      const upper = Math.floor(link / PAIR),
        lower = link % PAIR;
      const offset = doors(upper < layers.count ? upper : lower)?.get(name);
      if (offset) this.offsets.set(link, offset);
    }
    this.shift();
  }

  /** Where a link ends at a frame, from the frame's middle; at all others in the middle. */
  offset(v, u, isBelow) {
    if (!this.offsets.size || v >= this.layers.count) return 0;
    return this.offsets.get(isBelow ? v * PAIR + u : u * PAIR + v) ?? 0;
  }

  /** Move each layer under the middles of its neighbours, down and up by turns; later sweeps look both ways at once. */
  shift() {
    const {above, below, pins} = this.layers,
      rows = this.layers.layers.map((row, k) => (k === 0 && pins.head ? row.slice(1) : row));
    const count = this.x.length,
      widest = rows.reduce((most, row) => Math.max(most, row.length), 0);
    Object.assign(this, {
      wish: new Float64Array(count),
      weight: new Float64Array(count).fill(1),
      totals: new Float64Array(widest),
      weights: new Float64Array(widest),
      many: new Int32Array(widest),
      placed: new Float64Array(widest),
    });
    for (const row of rows) this.place(row);
    const none = [];
    for (let sweep = 0; sweep < SHIFTS; sweep++) {
      const downwards = sweep % 2 === 0,
        isBoth = sweep >= SHIFTS / 2;
      for (let k = 0; k < rows.length; k++) {
        const row = rows[downwards ? k : rows.length - 1 - k];
        for (const v of row) this.look(v, isBoth || downwards ? above[v] : none, isBoth || !downwards ? below[v] : none);
        this.place(row);
      }
    }
    if (pins.head) this.placeHead(rows[0]);
    const left = this.x.reduce((least, x, v) => Math.min(least, x - this.sizes[v][0] / 2), Infinity);
    for (let v = 0; v < count; v++) this.x[v] -= left;
  }

  /** The head of a frame stands at its left, and left of all ports. */
  placeHead(ports) {
    const half = this.sizes[0][0] / 2,
      left = this.x.reduce((least, x, v) => (v ? Math.min(least, x - this.sizes[v][0] / 2) : least), Infinity);
    const room = ports.length ? this.x[ports[0]] - this.sizes[ports[0]][0] / 2 - BESIDE - 2 * half : Infinity,
      at = Math.min(left, room);
    this.x[0] = Number.isFinite(at) ? at + half : half;
  }

  /** The weighted mean of the places of neighbours, and the weight: where a vertex wants to be, and how much. */
  look(v, above, below) {
    if (!above.length && !below.length) {
      this.wish[v] = this.x[v];
      this.weight[v] = 1;
      return;
    }
    const {pull} = this.layers,
      hasDoors = this.offsets.size > 0;
    let sum = 0,
      weight = 0;
    for (const u of above) {
      const strength = pull[v] * pull[u];
      sum += (hasDoors ? this.x[u] + this.offset(u, v, true) - this.offset(v, u, false) : this.x[u]) * strength;
      weight += strength;
    }
    for (const u of below) {
      const strength = pull[v] * pull[u];
      sum += (hasDoors ? this.x[u] + this.offset(u, v, false) - this.offset(v, u, true) : this.x[u]) * strength;
      weight += strength;
    }
    this.wish[v] = sum / weight;
    this.weight[v] = weight;
  }

  /** The places in this order nearest to those wished for, by weighted least squares: pool adjacent violators. */
  place(row) {
    const {totals, weights, many, placed, sizes} = this;
    let pools = 0;
    for (let i = 0; i < row.length; i++) {
      const v = row[i];
      placed[i] = i ? placed[i - 1] + (sizes[row[i - 1]][0] + sizes[v][0]) / 2 + BESIDE : 0;
      let total = (this.wish[v] - placed[i]) * this.weight[v],
        weight = this.weight[v],
        number = 1;
      for (; pools && totals[pools - 1] / weights[pools - 1] >= total / weight; pools--) {
        total += totals[pools - 1];
        weight += weights[pools - 1];
        number += many[pools - 1];
      }
      totals[pools] = total;
      weights[pools] = weight;
      many[pools++] = number;
    }
    for (let pool = 0, i = 0; pool < pools; pool++) {
      for (const end = i + many[pool]; i < end; i++) this.x[row[i]] = totals[pool] / weights[pool] + placed[i];
    }
  }

  /** Boxes and labels as {left, top, width, height}, and the segments of the edges. */
  drawn() {
    const {layers, sizes} = this,
      {rank} = layers;
    const heights = layers.layers.map(row => row.reduce((most, v) => Math.max(most, sizes[v][1]), 0)),
      tops = [0];
    for (const height of heights) tops.push(tops.at(-1) + height + BETWEEN);
    const boxes = sizes.map(([width, height], v) => ({
      left: this.x[v] - width / 2,
      top: tops[rank[v]] + this.drop(v, heights[rank[v]] - height),
      width,
      height,
    }));
    const place = new Int32Array(sizes.length);
    for (const row of layers.layers) row.forEach((v, i) => (place[v] = i));
    const out = this.ports(layers.below, place, true),
      into = this.ports(layers.above, place, false),
      segments = new Map();
    for (const [link, edge] of layers.strongest) {
      const a = Math.floor(link / PAIR),
        b = link % PAIR,
        r = rank[a],
        xa = out.get(link),
        xb = into.get(link);
      segments.set(link, {
        edge,
        start: [xa, boxes[a].top + boxes[a].height],
        leave: [xa, tops[r] + heights[r]],
        arrive: [xb, tops[r + 1]],
        end: [xb, boxes[b].top],
        first: a < layers.count,
        last: b < layers.count,
      });
    }
    return {
      boxes: boxes.slice(0, layers.count),
      labels: layers.edges.map((_, k) => boxes[layers.label.get(k)] ?? null),
      segments,
      layer: rank.slice(0, layers.count).map(r => r / 2),
      width: boxes.reduce((most, b) => Math.max(most, b.left + b.width), 0),
      height: Math.max(tops.at(-1) - BETWEEN, 0),
    };
  }

  /** How far below the top of its layer a vertex stands: in the middle; beside a frame, a source stands near what uses it. */
  drop(v, room) {
    const {layers} = this,
      isSource = v < layers.count && !layers.above[v].length;
    return isSource && layers.layers[layers.rank[v]].some(u => u < layers.count && this.doors(u) !== null) ? room : room / 2;
  }

  /** Where along the side of a vertex each edge starts or ends: at a frame's ports; else side by side, as the other ends are. */
  ports(neighbours, place, isBelow) {
    const found = new Map();
    neighbours.forEach((near, v) => {
      const isFrame = v < this.layers.count && this.doors(v) !== null;
      const step = v < this.layers.count ? Math.min(PORTS, this.sizes[v][0] / (near.length + 1)) : 0;
      [...near]
        .sort((a, b) => place[a] - place[b])
        .forEach((u, i) => {
          const aside = isFrame ? this.offset(v, u, isBelow) : step * (i - (near.length - 1) / 2);
          found.set(isBelow ? v * PAIR + u : u * PAIR + v, this.x[v] + aside);
        });
    });
    return found;
  }
}

/** The layout of boxes of these sizes without frames, as layout.py has it. */
function plainLayout(sizes, edges) {
  const layers = new Layers(sizes, edges);
  layers.order();
  const drawn = new Places(layers).drawn();
  return {...drawn, segments: [...drawn.segments.values()]};
}
