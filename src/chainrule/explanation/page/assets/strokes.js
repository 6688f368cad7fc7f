// A stroke is how a segment of an edge is drawn: a thin line for the value going down, a band for the contributions coming back.

const THINNEST = 2.5,
  WIDEST = 9;

/** The width of a band; it grows with the square root, so that small contributions can still be told apart. */
function thickness(size, most) {
  if (!Number.isFinite(size)) return WIDEST;
  return most > 0 ? THINNEST + (WIDEST - THINNEST) * Math.sqrt(Math.min(1, size / most)) : THINNEST;
}

function curved(...points) {
  const [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = points.map(p => p.map(v => Math.round(v * 10) / 10));
  const half = (y1 + y2) / 2,
    leaving = y0 === y1 ? '' : `L${x1} ${y1}`,
    arriving = y2 === y3 ? '' : `L${x3} ${y3}`;
  return `M${x0} ${y0}${leaving}C${x1} ${half} ${x2} ${half} ${x2} ${y2}${arriving}`; // a piece of no length would turn the arrow
}

function downwards(s) {
  return s.isBackward ? curved(s.end, s.arrive, s.leave, s.start) : curved(s.start, s.leave, s.arrive, s.end);
}

function upwards(s) {
  return s.isBackward ? curved(s.start, s.leave, s.arrive, s.end) : curved(s.end, s.arrive, s.leave, s.start);
}

/** What has flowed along each segment of a frame until a step: by link, the largest contribution; -1 where nothing has. */
function flownUntil(plan, step) {
  const most = plan.layers.edges.map(e => e.cords.reduce((m, cord) => Math.max(m, flownSize(cord, step)), -1));
  const found = new Map();
  const raise = (upper, lower, size) => {
    const link = upper * PAIR + lower;
    if (size > (found.get(link) ?? -1)) found.set(link, size);
  };
  for (const {vertices, edges, leaves} of plan.layers.trunks) {
    let running = -1,
      next = 0;
    for (let at = vertices.length - 1; at > 0; at--) {
      for (; next < edges.length && leaves[next] >= at; next++) running = Math.max(running, most[edges[next]]);
      raise(vertices[at - 1], vertices[at], running);
    }
    edges.forEach((k, i) => {
      const label = plan.layers.label.get(k),
        {lower} = plan.layers.edges[k];
      if (label !== undefined) {
        raise(vertices[leaves[i]], label, most[k]);
        raise(label, lower, most[k]);
      } else {
        raise(vertices[leaves[i]], lower, most[k]);
      }
    });
  }
  return found;
}

function flownSize(cord, step) {
  return cord.flowing.reduce((most, w) => (w.step <= step ? Math.max(most, Number.isNaN(w.size) ? Infinity : w.size) : most), -1);
}

/** The largest finite contribution of a scene, by which all bands are measured. */
function widestOf(scene) {
  return scene.wires.reduce((most, w) => (w.flows && Number.isFinite(w.size) ? Math.max(most, w.size) : most), 0);
}
