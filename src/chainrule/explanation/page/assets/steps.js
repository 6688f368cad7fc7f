// A step is one event of the film: a value is computed on the way down, or a contribution flows on the way back up.

/** Steps: "start" (what is given), "forward" for each box, "seed" (the gradient of the loss in itself is 1), "backward". */
class Film {
  constructor(scene) {
    Object.assign(this, {scene, steps: [{kind: 'start'}], valueStep: new Map(), passed: new Map(), seedStep: 0});
    const computed = scene.boxes.filter(isComputed);
    for (const box of scene.boxes) this.valueStep.set(box, 0);
    for (const box of computed) this.valueStep.set(box, this.add({kind: 'forward', box}));
    const loss = scene.boxFor(scene.graph.item(scene.graph.loss.id));
    this.seedStep = this.add({kind: 'seed', box: loss});
    for (const box of computed.reverse()) this.addBackward(box);
    for (const arrivals of scene.arrivals.values()) arrivals.sort((a, b) => a.step - b.step);
  }

  add(step) {
    return this.steps.push(step) - 1;
  }

  /** An operation gives to one argument after the other; a closed gate or module is one step, also if all of it stays inside. */
  addBackward(box) {
    const wires = this.scene.wiresOf.get(box).above.filter(w => w.flows);
    if (!box.isContainer) {
      for (const w of wires) this.addFlow(box, [w]);
    } else if (wires.length || givenInside(box).some(item => item.node.gradient)) {
      this.addFlow(box, wires);
    }
  }

  addFlow(box, wires) {
    const step = this.add({kind: 'backward', box, wires});
    this.passed.set(box, step);
    for (const w of wires) w.step = step;
  }

  get last() {
    return this.steps.length - 1;
  }

  get backwardSteps() {
    return this.last - this.seedStep;
  }

  isComputed(box, step) {
    return this.valueStep.get(box) <= step;
  }

  /**
   * What is known of the gradient of a value that a box shows: null before anything has arrived; else what has `arrived` and is
   * `owed` (wires), whether it is `complete`, and the `array` so far.
   */
  gradient(node, box, step) {
    const arrivals = this.scene.arriving(node, box),
      isLoss = node.id === this.scene.graph.loss.id || this.isLossOutput(box);
    if (!arrivals.length) {
      const from = isLoss ? this.seedStep : this.last;
      const isWhole = isSingle(box) || isLoss;
      return node.gradient && isWhole && step >= from
        ? {arrived: [], owed: [], complete: true, array: arrayOf(node.gradient)}
        : null;
    }
    const arrived = arrivals.filter(w => w.step <= step);
    if (!arrived.length) return null;
    const owed = arrivals.filter(w => w.step > step),
      complete = !owed.length;
    const isWhole = complete && isSingle(box) && node.gradient;
    return {
      arrived,
      owed,
      complete,
      get array() {
        // summed only when somebody looks
        return isWhole ? arrayOf(node.gradient) : sumOf(arrived.map(w => w.contribution));
      },
    };
  }

  /** The whole gradient of a value, once it is known; in a closed module or run, when that has been passed. */
  wholeGradient(item, step) {
    const box = this.scene.boxFor(item),
      isKnown = isSingle(box) ? this.gradient(item.node, box, step)?.complete : this.passed.get(box) <= step;
    return isKnown && item.node.gradient ? arrayOf(item.node.gradient) : null;
  }

  isLossOutput(box) {
    const {graph} = this.scene;
    return box === this.scene.boxFor(graph.item(graph.loss.id)) && isSingle(box);
  }

  /** The step at which an item first has something to tell. */
  stepOf(item) {
    return this.valueStep.get(this.scene.boxFor(item));
  }
}

/** The inputs that stand inside a container. */
function givenInside(container) {
  const found = [],
    stack = [container];
  while (stack.length) {
    for (const child of stack.pop().children) {
      if (child.isContainer && !child.node) stack.push(child);
      else if (child.node?.kind === 'input') found.push(child);
    }
  }
  return found;
}
