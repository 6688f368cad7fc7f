// A run is a container made where a graph has none: operations that were computed one after another.

const MOST_BOXES = 300; // that are drawn at once without being asked for
const MOST_RUNS = 40,
  SHORTEST_RUN = 50;
const MOST_SHARED = 60; // inputs used in several runs that stay outside

/** Put the children of each container that has too many into runs; inputs go where they are first used. */
function addRuns(graph) {
  for (const container of [graph.root, ...graph.containers()]) {
    if (container.children.length > MOST_BOXES) container.children = inRuns(graph, container, container.children);
  }
}

function inRuns(graph, container, items) {
  const operations = items.filter(isComputed).sort((a, b) => a.last - b.last);
  if (operations.length <= MOST_BOXES) return items;
  const length = runLength(operations.length);
  const runs = [];
  for (let from = 0; from < operations.length; from += length) {
    runs.push(madeRun(graph, container, operations.slice(from, from + length), from, operations.length));
  }
  const outside = givenTo(
    graph,
    runs,
    items.filter(item => !isComputed(item)),
  );
  for (const run of runs) if (run.children.length > MOST_BOXES) run.children = inRuns(graph, run, run.children);
  return [...outside, ...runs];
}

function isComputed(item) {
  return item.isContainer || item.node.kind === 'operation';
}

/** A round number of operations, so that there are not too many runs. */
function runLength(count) {
  const least = Math.max(SHORTEST_RUN, count / MOST_RUNS),
    power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(k => k * power).find(length => length >= least);
}

function madeRun(graph, container, children, from) {
  const first = (container.from ?? 0) + from,
    name = `operations ${first + 1}–${first + children.length}`;
  const run = new Item(
    `run ${container.key} ${first}`,
    'run',
    container.key && container.kind !== 'run' ? `${container.name}: ${name}` : name,
  );
  Object.assign(run, {from: first, children, parent: container, last: children.at(-1).last});
  run.count = children.reduce((sum, child) => sum + child.count, 0);
  for (const child of children) child.parent = run;
  graph.items.set(run.key, run);
  return run;
}

/** Inputs used in one run go there; those used in several stay outside or, if they are too many, go where they are used first. */
function givenTo(graph, runs, inputs) {
  const homes = new Map(inputs.map(input => [input, homesOf(graph, runs, input)]));
  const shared = inputs.filter(input => homes.get(input).size > 1);
  return inputs.filter(input => {
    const [home] = homes.get(input);
    if (!home || (homes.get(input).size > 1 && shared.length <= MOST_SHARED)) return true;
    home.children.push(input);
    input.parent = home;
    return false;
  });
}

/** The runs in which an input is used, the first one first; none if it is used elsewhere too. */
function homesOf(graph, runs, input) {
  const found = new Set();
  for (const user of graph.users.get(input.node.id) ?? []) {
    const home = graph.item(user.id).above.find(item => runs.includes(item));
    if (!home) return new Set();
    found.add(home);
  }
  return new Set([...found].sort((a, b) => a.last - b.last));
}
