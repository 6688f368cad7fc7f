// The stage is the graph as one sees and touches it: pointer, wheel and keys on the drawing.

class Stage {
  constructor(app) {
    Object.assign(this, {app, root: byId('graph'), number: -1});
    this.drawing = new Drawing(this.root, () => this.showScale());
    this.marks = new Marks(app, this.drawing);
    this.drawing.ondraw = () => this.marks.drawNumbers();
    this.buttons();
    this.legend();
    this.root.addEventListener('click', e => this.click(e));
    this.root.addEventListener('dblclick', e => this.openBox(this.thingAt(e)?.item));
    this.root.addEventListener('pointerover', e => this.point(e.target));
    this.root.addEventListener('pointerleave', () => this.point(null));
    app.on('scene', how => this.showScene(how));
    app.on('step', how => this.showStep(how));
    app.on('selection', how => this.showSelection(how));
  }

  get camera() {
    return this.drawing.camera;
  }

  buttons() {
    byId('zoom').append(
      button('Closer ( + )', '+', () => this.camera.zoom(ZOOM_STEP)),
      button('Farther ( - )', '−', () => this.camera.zoom(1 / ZOOM_STEP)),
      button('All of the graph ( 0 )', icon('fit'), () => this.camera.fit()),
    );
  }

  legend() {
    const entries = [
      ['value', '▼', 'value, computed downwards'],
      ['gradient', '▲', 'gradient, flowing back up; the wider its band, the more it contributes'],
      ['gradient', 'Σ', 'contributions meet and add up; △ while some are still owed'],
      ['gradient', '┄', 'a dashed band contributes 0'],
      ['quiet', '⊞', 'can be opened; round: given; dashed: constant; thick: the loss'],
      ['quiet', '·', 'not computed yet'],
    ];
    byId('legend')
      .querySelector('ul')
      .append(...entries.map(([kind, sign, says]) => html('li', {}, html('span', {class: `sign ${kind}`}, sign), says)));
  }

  showScale() {
    this.root.style.setProperty('--scale', this.camera.scale);
  }

  // -------------------------------------------------------------------------------------- what is shown
  showScene({isNew, around}) {
    const {app, drawing, camera} = this,
      before = around && drawing.nest && drawing.placeOf(around);
    const corner = before && [before.left * camera.scale + camera.left, before.top * camera.scale + camera.top];
    drawing.show(app.scene, app.film, app.step);
    this.root.setAttribute(
      'aria-label',
      `Graph of ${app.graph.loss.name}: ${counted(app.scene.boxes.length, 'box')}`.replace(/boxs$/, 'boxes') +
        '. Arrow keys walk along edges, Enter selects, O opens and closes, Space plays.',
    );
    this.marks.cursor = null;
    const after = around && drawing.placeOf(around);
    if (isNew) camera.home();
    else if (!camera.isTouched && camera.fitting() >= COMFORTABLE) camera.fit();
    else if (corner && after)
      camera.moveTo({left: corner[0] - after.left * camera.scale, top: corner[1] - after.top * camera.scale});
    if (around && after && camera.isTouched)
      camera.reveal({...after, width: Math.min(after.width, 200), height: Math.min(after.height, 120)});
    this.marks.pointAt(null);
    drawing.draw();
  }

  showStep({follows = true} = {}) {
    const {app, drawing} = this,
      {box} = app.event;
    drawing.go(app.step);
    if (follows && box) this.camera.reveal(drawing.placeOf(box));
    this.marks.pointAt(null);
  }

  showSelection(how = {}) {
    const {item, wire} = this.app.selected ?? {};
    if (how.reveals) this.reveal(item ?? wire?.upper);
    this.marks.draw();
  }

  reveal(item) {
    const place = item && this.drawing.placeOf(item);
    if (!place) return;
    this.camera.isTouched = true; // somebody asked to see it: a page that finds its size only now shall not turn elsewhere
    this.camera.reveal(
      {...place, width: Math.min(place.width, 600), height: Math.min(place.height, 400)},
      Math.min(1, Math.max(this.camera.scale, COMFORTABLE)),
    );
  }

  // -------------------------------------------------------------------------------------- pointer
  /** The item or wire that an event is about. */
  thingAt({target, clientX, clientY}) {
    const cord = target.closest('[data-cord]'),
      item = target.closest('[data-item]');
    if (cord) return {wire: this.app.scene.cord.get(cord.dataset.cord).wires[0]};
    if (item) return {item: this.app.graph.item(item.dataset.item)};
    return this.drawing.detail === 'far' ? this.farBox(clientX, clientY) : null;
  }

  farBox(x, y) {
    const {left, top} = this.root.getBoundingClientRect(),
      {camera} = this;
    const at = [(x - left - camera.left) / camera.scale, (y - top - camera.top) / camera.scale];
    for (const [item, p] of this.drawing.nest.boxes) {
      if (at[0] >= p.left && at[0] <= p.left + p.width && at[1] >= p.top && at[1] <= p.top + p.height) return {item};
    }
    return null;
  }

  click(event) {
    if (this.camera.wasDragged) return;
    const control = event.target.closest('[data-toggle]');
    if (control) {
      this.open(this.app.graph.item(control.dataset.toggle));
      return;
    }
    const thing = this.thingAt(event);
    if (thing?.wire) this.app.selectWire(thing.wire);
    else this.app.select(thing?.item ?? null);
  }

  open(item) {
    if (item?.isContainer) this.app.setOpen(item, !this.app.open.has(item.key));
  }

  /** A double click opens, and closes nothing that one happens to be inside. */
  openBox(item) {
    if (item && !this.app.scene.isFrame(item)) this.open(item);
  }

  /** A number under the pointer shows where it came from; a box or an edge shows its numbers in the panel. */
  point(target) {
    const number = target?.closest('[data-ref]')?.dataset.ref ?? null;
    if (number !== this.marks.here) this.marks.pointAt(number);
    this.marks.linkNumbers(new Set(target ? this.keysAt(target) : []));
  }

  keysAt(target) {
    const item = target.closest('[data-item]')?.dataset.item,
      key = target.closest('[data-cord]')?.dataset.cord;
    if (item) return ['value', 'gradient'].map(kind => referenceTo(kind, item));
    const cord = key && this.app.scene.cord.get(key);
    return cord ? cord.flowing.flatMap(w => [referenceTo('flow', w.key), ...w.edges.map(e => referenceTo('local', e.id))]) : [];
  }

  // -------------------------------------------------------------------------------------- keys
  /** Walk along edges: down to a result, up to an argument, left and right beside on the same layer. */
  walk(direction) {
    const {scene} = this.app,
      from = this.marks.cursor ?? this.boxSelected() ?? scene.boxFor(scene.graph.item(scene.graph.loss.id));
    const to = this.marks.cursor || this.boxSelected() ? this.neighbour(from, direction) : from;
    if (to) this.setCursor(to);
  }

  boxSelected() {
    const {selected, scene} = this.app;
    return selected?.item ? (scene.isFrame(selected.item) ? null : scene.boxFor(selected.item)) : null;
  }

  setCursor(box) {
    this.marks.cursor = box;
    this.camera.reveal(this.drawing.placeOf(box));
    this.drawing.draw();
    this.marks.draw();
    this.root.setAttribute('aria-activedescendant', elementId(box));
    this.number = -1;
    speak(
      boxLines(box, this.app.film, this.app.step)
        .map(l => textOf(l.tokens))
        .join('; '),
    );
  }

  /** Point at the next number of the box that the keys are on. */
  nextNumber() {
    const box = this.marks.cursor ?? this.boxSelected(),
      numbers = [...((box && this.drawing.element(`box ${box.key}`)?.querySelectorAll('[data-ref]')) || [])];
    if (!numbers.length) return;
    this.number = (this.number + 1) % numbers.length;
    const {ref} = numbers[this.number].dataset;
    this.marks.pointAt(ref);
    const made = listed([...this.marks.origins.items].map(item => item.name));
    speak(`${numbers[this.number].firstChild.data}, made of ${made || 'nothing else: it is given'}`);
  }

  neighbour(box, direction) {
    const {scene} = this.app,
      {boxes} = this.drawing.nest,
      here = boxes.get(box),
      middle = b => boxes.get(b).left + boxes.get(b).width / 2;
    if (direction === 'up' || direction === 'down') {
      const {above, below} = scene.wiresOf.get(box),
        near = direction === 'up' ? above.map(w => w.upper) : below.map(w => w.lower);
      return near.sort((a, b) => Math.abs(middle(a) - middle(box)) - Math.abs(middle(b) - middle(box)))[0] ?? null;
    }
    const sign = direction === 'left' ? -1 : 1,
      beside = b => sign * (middle(b) - middle(box));
    const level = ([b, p]) => b !== box && beside(b) > 0 && p.top < here.top + here.height && p.top + p.height > here.top;
    return (
      [...boxes]
        .filter(level)
        .map(([b]) => b)
        .sort((a, b) => beside(a) - beside(b))[0] ?? null
    );
  }
}

/** Read a sentence to those who listen to the page. */
function speak(sentence) {
  byId('spoken').textContent = sentence;
}
