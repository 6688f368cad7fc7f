// The maps are the heat maps of what is selected, moved together: one slice, one element under the pointer, one that is pinned.

class Maps {
  constructor(app) {
    Object.assign(this, {app, slice: 0});
    this.clear(true);
  }

  /** Begin anew; the slice stays unless something else is selected. */
  clear(isNew) {
    Object.assign(this, {all: [], hovered: null});
    if (isNew) this.slice = 0;
    this.readout = html('p', {class: 'readout', 'aria-live': 'polite'});
    this.tables = html('div', {class: 'element-tables'});
  }

  /** The map of an array, with what belongs to it; nothing where there are no numbers to show. */
  of(kind, name, array) {
    if (!array.size || !(array.data || array.thumbnail)) return null;
    const says = array.thumbnail ? 'averages of blocks' : 'arrow keys move the pinned element';
    const map = new HeatMap(array, `${name}, ${says}`, {
      hover: element => this.hover(map, element),
      pin: element => this.pin(map, element === this.app.element ? null : element),
      move: element => this.pin(map, element),
    });
    map.kind = kind;
    this.all.push(map);
    if (array.data && array.shape.length > 2 && this.app.element !== null) this.slice = map.sliceOf(this.app.element);
    map.setSlice(this.slice);
    const note = `Averages of blocks: ${counted(array.size, 'number')} are too many for this page.`;
    return [this.sliceInputs(array), map.canvas, mapLegend(map.most), array.thumbnail ? html('p', {class: 'quiet'}, note) : null];
  }

  /** Of an array with more than two axes: which index along each of the first ones; one choice for all maps. */
  sliceInputs(array) {
    if (!array.data || array.shape.length < 3 || this.all.length > 1) return null;
    const outer = array.shape.slice(0, -2),
      now = unraveled(this.slice, outer);
    const inputs = outer.map((n, axis) =>
      html('input', {
        type: 'number',
        min: 0,
        max: n - 1,
        value: now[axis],
        'aria-label': `Index along axis ${axis}`,
        onchange: () =>
          this.setSlice(
            raveled(
              inputs.map(i => Math.min(i.max, Math.max(0, Math.round(i.value) || 0))),
              outer,
            ),
          ),
      }),
    );
    return html(
      'p',
      {class: 'slice'},
      'slice [',
      inputs.flatMap(input => [input, ', ']),
      ':, :]',
    );
  }

  setSlice(slice) {
    this.slice = slice;
    for (const map of this.all) map.setSlice(slice);
  }

  // -------------------------------------------------------------------------------------- one element
  pin(map, element) {
    if (!map.array.data || !this.app.selected?.item) return;
    this.hovered = null;
    this.app.pin(element);
  }

  hover(map, element) {
    this.hovered = element;
    for (const m of this.all) {
      m.hovered = m === map || (map.array.data && m.array.data) ? element : null;
      m.draw();
    }
    this.read(map);
  }

  showElement() {
    const {app} = this,
      node = app.selected?.item?.node;
    for (const map of this.all) {
      Object.assign(map, {pinned: map.array.data ? app.element : null, hovered: this.hovered});
      map.draw();
    }
    this.read(null);
    if (!node) return;
    const array = arrayOf(node.value),
      element = array.parts ? null : array.shape.length ? app.element : 0;
    const tables = element === null || !array.data ? [] : [gradientTable(app, node, element), valueTable(app, node, element)];
    this.tables.replaceChildren(...tables.flat(Infinity).filter(Boolean));
  }

  /** Say what is under the pointer, else what is pinned. */
  read(map) {
    const {app, hovered} = this,
      node = app.selected?.item?.node,
      element = hovered ?? app.element;
    if (map?.array.thumbnail && hovered !== null) {
      this.readout.replaceChildren('block average ', numberSpan(map.data[hovered]));
    } else if (!node || element === null) {
      this.readout.replaceChildren(html('span', {class: 'quiet'}, 'Point at an element to read it, click to pin it.'));
    } else {
      const pinned = hovered === null ? [html('span', {class: 'quiet'}, ' pinned')] : [];
      this.readout.replaceChildren(...this.elementRead(node, element), ...pinned);
    }
  }

  /** The value and the gradient of an element, as far as they are known. */
  elementRead(node, element) {
    const {app} = this,
      box = app.scene.boxFor(app.graph.item(node.id)),
      name = elementName(node, element);
    const value = arrayOf(node.value),
      found = app.film.gradient(node, box, app.step),
      said = [];
    if (value.data && app.film.isComputed(box, app.step)) {
      said.push(html('span', {class: 'value'}, `${FORWARD} ${name} = `));
      said.push(numberSpan(elementOf(value, element), referenceTo('value', node.id, element), 'value'));
    } else {
      said.push(name);
    }
    if (found?.array.data) {
      said.push(html('span', {class: 'gradient'}, ` ${found.complete ? BACK : PARTLY} `));
      said.push(numberSpan(found.array.data[element], referenceTo('gradient', node.id, element), 'gradient'));
    }
    return said;
  }

  /** Outline the elements that the number pointed at was made of. */
  markOrigins(refs, here) {
    const id = this.app.selected?.item?.node?.id;
    const own = [...refs, here ?? ''].map(readReference).filter(r => r.key === id && r.element !== null);
    for (const map of this.all) {
      const marked = new Set(own.filter(r => r.kind === map.kind).map(r => r.element));
      if (marked.size || map.marked.size) {
        map.marked = marked;
        map.draw();
      }
    }
  }
}
