// A level says which containers are open: modules, gates, or the second graph, in which every value is one number.

const MOST_OPENED = 6000; // boxes that are laid out at once

const LEVELS = [
  {key: 'network', title: 'Network', says: 'Each outermost module is one box', missing: noNested, opens: () => []},
  {
    key: 'layers',
    title: 'Layers',
    says: 'Each innermost module is one box',
    missing: noModules,
    opens: graph => graph.containers().filter(c => c.kind === 'group' && c.children.some(child => child.kind === 'group')),
  },
  {
    key: 'operations',
    title: 'Operations',
    says: 'Each operation is one box',
    missing: () => null,
    opens: graph => graph.containers().filter(c => c.kind !== 'gate'),
  },
  {
    key: 'primitives',
    title: 'Primitives',
    says: 'Gates such as sigmoid or softmax are opened into their parts',
    missing: noGates,
    opens: graph => graph.containers(),
  },
  {
    key: 'gates',
    title: 'Gates',
    says: 'Every value is one number; gates add, multiply, copy, choose',
    missing: noScalars,
    isSecond: true,
    opens: graph => graph.containers(),
  },
];

function noModules({graph}) {
  return graph.groups.length ? null : 'This loss was computed without modules or named blocks.';
}

function noNested({graph}) {
  return (
    noModules({graph}) ??
    (graph.groups.some(g => g.parent) ? null : 'The modules of this loss are not inside one another: see Layers.')
  );
}

function noGates({graph}) {
  return graph.nodes.some(n => n.output) ? null : 'No operation of this loss has parts.';
}

function noScalars({gates, gates_note: note}) {
  return gates ? null : (note ?? 'This loss is not on the page as single numbers.');
}

function levelOf(key) {
  return LEVELS.find(level => level.key === key);
}

/** The keys of what is open at a level; if that is too much to draw, runs stay closed, and then modules too. */
function openAt(level, graph, most = MOST_OPENED) {
  let open = level.opens(graph);
  for (const kind of ['run', 'group', 'gate']) {
    if (boxCount(graph, new Set(open)) <= most) break;
    open = open.filter(c => c.kind !== kind);
  }
  return new Set(open.map(c => c.key));
}

function boxCount(graph, open) {
  let count = 0;
  const stack = [graph.root];
  while (stack.length) {
    for (const child of stack.pop().children) {
      if (child.isContainer && open.has(child)) stack.push(child);
      else count++;
    }
  }
  return count;
}

/** Where to begin: the finest of these levels that has not too many boxes, else the coarsest; runs are closed if need be. */
function firstLevel(data, graph) {
  const possible = LEVELS.slice(0, 3)
    .filter(level => !level.missing(data))
    .reverse();
  const found = possible.find(level => boxCount(graph, new Set(level.opens(graph))) <= MOST_BOXES);
  return found ?? possible.at(-1);
}
