// An origin of a number is a number, a box or an edge that it was made of.

/** A reference taken apart: which kind of number, of what, and which element (null for all). */
function readReference(ref) {
  const [kind, key, element] = ref.split('/');
  return {kind, key: decodeURIComponent(key), element: element === undefined ? null : Number(element)};
}

function referenceTo(kind, key, element = null) {
  return `${kind}/${encodeURIComponent(key)}${element === null ? '' : `/${element}`}`;
}

/** What a number was made of: `refs` of numbers, `items` (boxes), and `wires`. */
function originsOf(ref, scene) {
  const {kind, key, element} = readReference(ref),
    found = {refs: new Set(), items: new Set(), wires: new Set()};
  ORIGINS[kind]?.(found, scene, key, element);
  return found;
}

const ORIGINS = {value: originsOfValue, gradient: originsOfGradient, flow: originsOfFlow, local: originsOfLocal};

function originsOfValue(found, scene, id, element) {
  const item = scene.graph.item(id),
    box = item && scene.boxFor(item);
  if (!box) return;
  for (const w of scene.wiresOf.get(box).above) {
    found.wires.add(w);
    found.items.add(w.upper);
  }
  const source = scene.isFrame(item) ? scene.graph.item(item.node.output) : item;
  const edges = grouped(scene.graph.outOf.get(source.node.id) ?? [], e => e.to);
  for (const a of source.node.arguments) {
    const links = element === null ? [] : (edges.get(a) ?? []).map(linksOf);
    if (!links.length || links.includes(null)) found.refs.add(referenceTo('value', a));
    else for (const l of links) for (const k of l.intoRow(element)) found.refs.add(referenceTo('value', a, l.cols[k]));
  }
}

function originsOfGradient(found, scene, id, element) {
  const item = scene.graph.item(id);
  for (const w of item ? scene.arriving(item.node) : []) {
    found.wires.add(w);
    found.items.add(w.lower);
    found.refs.add(referenceTo('flow', w.key, element));
    for (const e of w.edges) addUpstream(found, e, element);
  }
}

/** The elements of the gradient above that flow into one element, or the whole gradient. */
function addUpstream(found, e, element) {
  const links = element === null ? null : linksOf(e);
  if (!links) found.refs.add(referenceTo('gradient', e.from));
  else for (const k of links.intoColumn(element)) found.refs.add(referenceTo('gradient', e.from, links.rows[k]));
}

function originsOfFlow(found, scene, key, element) {
  const w = scene.wire.get(key);
  if (!w) return;
  found.wires.add(w);
  found.items.add(w.lower);
  for (const e of w.edges) {
    addUpstream(found, e, element);
    found.refs.add(referenceTo('local', e.id, element));
    addMentioned(found, scene, e);
  }
}

function originsOfLocal(found, scene, id) {
  const e = scene.graph.edges.get(id);
  if (e) addMentioned(found, scene, e);
}

/** The values that a local derivative, or the rule in its place, speaks of. */
function addMentioned(found, scene, e) {
  const says = e.local ? (e.local.formula ?? '') : (e.rule ?? '').replaceAll(scene.graph.node(e.from).gradient_name, '');
  const words = new Set(says.match(/[\p{L}_][\p{L}\p{N}_.]*/gu) ?? []),
    from = scene.graph.node(e.from);
  for (const id of new Set([e.from, ...from.arguments])) {
    const item = scene.graph.item(id);
    if (words.has(item.name)) {
      found.refs.add(referenceTo('value', id));
      found.items.add(scene.boxFor(item));
    }
  }
}

const LINKS = new WeakMap();

function linksOf(e) {
  if (!e.links) return null;
  if (!LINKS.has(e.links)) LINKS.set(e.links, new Links(e.links));
  return LINKS.get(e.links);
}

/** Pairs of elements of a result and an argument: slopes[k] = d result[rows[k]] / d argument[cols[k]]. */
class Links {
  constructor(json) {
    this.rows = fromBase64(json.rows, Int32Array);
    this.cols = fromBase64(json.cols, Int32Array);
    this.slopes = fromBase64(json.slopes, Float64Array);
  }

  intoColumn(col) {
    this.byColumn ??= grouped(this.cols.keys(), k => this.cols[k]);
    return this.byColumn.get(col) ?? [];
  }

  intoRow(row) {
    this.byRow ??= grouped(this.rows.keys(), k => this.rows[k]);
    return this.byRow.get(row) ?? [];
  }
}
