// A graph is the document's nodes and edges, found by id, and the containers (modules, gates, runs) that they stand in.

/** Something that can be drawn as one box: a node, or a container; a gate with parts is both. */
class Item {
  constructor(key, kind, name, {node = null, group = null} = {}) {
    Object.assign(this, {key, kind, name, node, group, parent: null, children: null, index: -1, last: -1, count: 0});
  }

  get isContainer() {
    return this.children !== null;
  }

  /** The containers it stands in, from the root down. */
  get above() {
    const found = [];
    for (let at = this.parent; at; at = at.parent) found.unshift(at);
    return found;
  }
}

class Graph {
  constructor(data, loss) {
    this.data = data;
    this.items = new Map(); // by key
    this.edges = new Map(data.edges.map(e => [e.id, e]));
    this.merges = new Map(data.merges.map(m => [m.node, m]));
    this.into = grouped(data.edges, e => e.to);
    this.outOf = grouped(data.edges, e => e.from);
    this.users = new Map(); // by id of a node, the nodes that have it as an argument
    for (const n of data.nodes) for (const a of new Set(n.arguments)) push(this.users, a, n);
    this.root = new Item('', 'root', '');
    this.root.children = [];
    this.addItems();
    this.loss = data.nodes.findLast(n => n.name === loss && !n.inside) ?? data.nodes.at(-1);
  }

  addItems() {
    for (const g of this.data.groups) {
      const item = new Item(`group ${g.id}`, 'group', g.name || g.kind || 'block', {group: g});
      item.children = [];
      this.items.set(item.key, item);
    }
    this.data.nodes.forEach((n, index) => {
      n.value.kind = n.dtype === 'bool' ? 'truth' : /^u?int/.test(n.dtype) ? 'whole' : 'real';
      const item = new Item(n.id, n.output ? 'gate' : 'node', n.name, {node: n});
      if (item.kind === 'gate') item.children = [];
      item.index = index;
      this.items.set(item.key, item);
    });
    for (const item of this.items.values()) {
      item.parent = this.parentOf(item);
      item.parent.children.push(item);
    }
    for (const item of this.root.children) measured(item);
  }

  parentOf({node, group}) {
    const key = group ? group.parent && `group ${group.parent}` : (node.inside ?? (node.group && `group ${node.group}`));
    return this.items.get(key) ?? this.root;
  }

  item(id) {
    return this.items.get(id);
  }

  node(id) {
    return this.items.get(id)?.node;
  }

  /** The containers, outer ones first. */
  containers() {
    const found = [],
      stack = [...this.root.children].reverse();
    while (stack.length) {
      const item = stack.pop();
      if (item.isContainer) {
        found.push(item);
        for (let k = item.children.length - 1; k >= 0; k--) stack.push(item.children[k]);
      }
    }
    return found;
  }

  /** The item of a name; a container may be named too, with its call after "@" where it has several. */
  named(name) {
    this.byName ??= this.names();
    return this.byName.get(name) ?? null;
  }

  /** The container of a name, also where a value has the same name. */
  containerNamed(name) {
    const item = this.named(name);
    return item?.isContainer ? item : (this.containers().find(c => nameOf(c) === name) ?? null);
  }

  names() {
    const found = new Map();
    for (const item of this.items.values()) if (item.node && !found.has(item.name)) found.set(item.name, item);
    for (const item of this.items.values()) if (!item.node && !found.has(nameOf(item))) found.set(nameOf(item), item);
    for (const item of this.items.values()) if (!found.has(item.key)) found.set(item.key, item);
    return found;
  }
}

/** When an item is done (`last`; the parts of a gate just before it), and how many operations it has. */
function measured(item, done = item.index, span = 1) {
  item.last = done;
  item.count = item.node?.kind === 'operation' ? 1 : 0;
  item.children?.forEach((child, k) => {
    if (item.node) measured(child, done - span * (1 - (k + 1) / item.children.length), span / (item.children.length + 1));
    else measured(child);
    if (!item.node) {
      item.last = Math.max(item.last, child.last);
      item.count += child.count;
    }
  });
}

/** What an item is called in addresses and searches. */
function nameOf(item) {
  return item.group?.calls > 1 ? `${item.name}@${item.group.call}` : item.name;
}

/** A place among repeated names: nodes keep their name, others their key. */
function addressOf(graph, item) {
  return graph.named(nameOf(item)) === item ? nameOf(item) : item.key;
}

function push(lists, key, value) {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function grouped(values, keyOf) {
  const lists = new Map();
  for (const value of values) push(lists, keyOf(value), value);
  return lists;
}
