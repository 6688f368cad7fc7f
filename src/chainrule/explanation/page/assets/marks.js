// A mark is drawn over the graph: around what happens now, what is selected, where the keys are, what a number was made of.

class Marks {
  constructor(app, drawing) {
    Object.assign(this, {app, drawing, cursor: null, origins: null, here: null});
  }

  /** Point at a number: its origins are marked in the graph and in the panel; null ends it. */
  pointAt(ref) {
    this.here = ref;
    this.origins = ref ? originsOf(ref, this.app.scene) : null;
    this.draw();
    this.drawNumbers();
  }

  draw() {
    const {app, drawing} = this,
      event = app.event,
      marks = [];
    for (const item of this.origins?.items ?? []) marks.push(this.around(item, 'origin', 3));
    for (const wire of this.origins?.wires ?? []) marks.push(...this.along(wire, 'origin'));
    for (const wire of event.wires ?? []) marks.push(...this.along(wire, 'now back'));
    if (event.kind === 'forward')
      for (const wire of app.scene.wiresOf.get(event.box).above) marks.push(...this.along(wire, 'now forward'));
    if (event.box) marks.push(this.around(event.box, 'now', 4));
    if (app.selected?.item) marks.push(this.around(app.selected.item, 'selected', 4));
    if (app.selected?.wire) marks.push(...this.along(app.selected.wire, 'selected'));
    if (this.cursor) marks.push(this.around(this.cursor, 'cursor', 7));
    drawing.marks.below.replaceChildren(...marks.filter(mark => mark?.tagName === 'path'));
    drawing.marks.above.replaceChildren(...marks.filter(mark => mark?.tagName === 'rect'));
  }

  around(item, kind, space) {
    const place = this.drawing.placeOf(item);
    return (
      place &&
      svg('rect', {
        class: `mark ${kind}`,
        x: round(place.left - space),
        y: round(place.top - space),
        rx: 6 + space,
        width: round(place.width + 2 * space),
        height: round(place.height + 2 * space),
      })
    );
  }

  along(wire, kind) {
    const cord = this.app.scene.cordOf(wire),
      isBack = !kind.includes('forward') && wire.flows;
    const lines = this.drawing.nest
      .path(cord)
      .map(s => svg('path', {class: `mark ${kind}`, d: isBack ? upwards(s) : downwards(s)}));
    const label = this.drawing.nest.labels.get(cord);
    if (label && !kind.includes('forward') && this.drawing.detail === 'near') {
      lines.push(
        svg('rect', {
          class: `mark ${kind} label-mark`,
          x: round(label.left - 1),
          y: round(label.top - 1),
          rx: 5,
          width: round(label.width + 2),
          height: round(label.height + 2),
        }),
      );
    }
    return lines;
  }

  /** Mark the numbers that stand for the one pointed at, and those it was made of. */
  drawNumbers() {
    const {here, origins} = this;
    for (const element of document.querySelectorAll('[data-ref]')) {
      const {ref} = element.dataset;
      element.classList.toggle('here', ref === here);
      element.classList.toggle('origin', ref !== here && origins !== null && isAmong(ref, origins.refs));
    }
    this.onorigins?.(origins?.refs ?? new Set(), here);
  }

  /** The pointer on a box or an edge: the numbers in the panel that are its own. */
  linkNumbers(keys) {
    for (const element of document.querySelectorAll('#panel [data-ref]')) {
      element.classList.toggle('linked', keys.size > 0 && keys.has(element.dataset.ref.split('/').slice(0, 2).join('/')));
    }
  }
}

/** Whether a reference is one of these, or speaks of a whole of which one of these is an element, or the other way round. */
function isAmong(ref, refs) {
  if (refs.has(ref)) return true;
  const [kind, key, element] = ref.split('/');
  if (element !== undefined) return refs.has(`${kind}/${key}`);
  for (const other of refs) if (other.startsWith(`${ref}/`)) return true;
  return false;
}
