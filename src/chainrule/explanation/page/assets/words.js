// A word for a step says in one sentence what happens there.

/** What an operation does to the gradient on its way back to argument `position`; of operations not listed, nothing is said. */
const ON_THE_WAY_BACK = {
  add: () => 'An addition passes the gradient on to both sides as it is.',
  subtract: position =>
    position ? 'What is subtracted gets the gradient with its sign turned.' : 'A subtraction passes the gradient on as it is.',
  negative: () => 'The sign turns.',
  multiply: () => 'A product scales the gradient with the other factor.',
  divide: position =>
    position
      ? 'The denominator gets the gradient times -numerator / denominator².'
      : 'The numerator gets the gradient divided by the denominator.',
  pow: position =>
    position
      ? 'The exponent gets the gradient times result × log(base).'
      : 'The base gets the gradient times exponent × base**(exponent - 1).',
  square: () => 'The slope of a square is twice its argument.',
  exp: () => 'The slope of exp is its own result.',
  log: () => 'The slope of log is 1 / its argument.',
  sqrt: () => 'The slope of a square root is 1 / (2 × its result).',
  relu: () => 'relu lets the gradient through where its argument is positive, and stops it elsewhere.',
  sigmoid: () => 'The slope of a sigmoid is s × (1 - s), with s its result.',
  tanh: () => 'The slope of tanh is 1 - its result squared.',
  copy: () => 'A copy passes on the sum of what its uses send back.',
  maximum: () => 'All of the gradient goes to the larger argument.',
  minimum: () => 'All of the gradient goes to the smaller argument.',
  max: () => 'All of the gradient goes to the largest element.',
  min: () => 'All of the gradient goes to the smallest element.',
  sum: () => 'Every summand gets the same gradient.',
  mean: () => 'Every element gets the same share of the gradient.',
  matmul: () => 'In a matrix product the gradient is multiplied by the other factor, transposed.',
  linear: position =>
    [
      'The gradient is multiplied by the weights.',
      'Each example adds its gradient times its input.',
      'The bias is used by every example, so the gradients of all of them add up.',
    ][position],
  softmax_cross_entropy: position =>
    position ? undefined : 'Softmax and cross-entropy together: the probabilities less the truth.',
  permute_dims: () => 'The axes go back to where they were.',
  reshape: () => 'The numbers stay; the shape goes back.',
  broadcast_to: () => 'What was repeated adds up.',
};

function titleOf(step, film, number) {
  const {last, seedStep} = film;
  if (step.kind === 'start') return 'Given';
  if (step.kind === 'forward') return `Forward, ${number} of ${seedStep - 1}`;
  if (step.kind === 'seed') return 'Turning point';
  return `Backward, ${number - seedStep} of ${last - seedStep}`;
}

/** What happens, in one or two sentences. */
function saidOf(step, film) {
  return SAID[step.kind](step, film);
}

const SAID = {
  start(step, {scene}) {
    const given = scene.boxes.filter(box => !isComputed(box)).length;
    return `${counted(given, 'value')} ${given === 1 ? 'is' : 'are'} given. Nothing has been computed yet.`;
  },
  forward({box}, {scene}) {
    const names = listed(scene.wiresOf.get(box).above.map(w => w.value.name));
    if (box.kind === 'run') return `${counted(box.count, 'operation')} one after another${names && `, from ${names}`}.`;
    if (!box.node) return `${box.name} takes ${names || 'no value'}, and computes ${counted(box.count, 'operation')}.`;
    return `${called(box.node)} takes ${names || 'no other value'}, and gives ${box.name}.`;
  },
  seed(step, {scene}) {
    const {loss} = scene.graph;
    return `The loss is known. Now back: the gradient of ${loss.name} in itself is 1.`;
  },
  backward({box, wires}) {
    const names = listed(wires.map(w => w.value.name));
    if (!box.node)
      return names
        ? `What arrives at ${box.name} flows through it, back to ${names}.`
        : `What arrives at ${box.name} stays in it.`;
    const why = wires.length === 1 ? ON_THE_WAY_BACK[box.node.operation]?.(wires[0].edges[0].position) : undefined;
    const back = `The gradient of ${box.name} flows back to ${names}`;
    return why ? `${back}. ${why}` : `${back}, through ${called(box.node)}.`;
  },
};

function called(node) {
  return (node.operation ?? '').replace(/^chain_/, '');
}

function listed(names, most = 5) {
  const unique = [...new Set(names)];
  if (unique.length > most) return `${unique.slice(0, most - 1).join(', ')} and ${unique.length - most + 1} more`;
  return unique.length > 1 ? `${unique.slice(0, -1).join(', ')} and ${unique.at(-1)}` : unique.join('');
}
