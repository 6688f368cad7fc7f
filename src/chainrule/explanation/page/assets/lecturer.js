// For lecturers and tests, `window.chainrule` moves the page from outside.
//
//   goTo(step)    shows a step, 0 to steps().length - 1
//   steps()       all steps: {step, kind, title, said, box, to}
//   select(name)  selects a value or module; false where there is none
//   open(name), close(name)
//   level(key)    shows a level: "network", "layers", "operations", "primitives", "gates"; without key, says which one is shown
//   state()       {level, step, last, selected, element, playing, detail, boxes, drawn, frames, values}: `values` has the value
//                 and the gradient of each box exactly as shown at this step, and whether the gradient is complete
//   labelBoxes()  where everything that has text is, in the graph's own places: all of it is drawn and measured
//   layout(sizes, edges)  the layout of a graph without frames

function lecturerInterface(page) {
  const {app, stage, player} = page,
    named = name => app.graph.named(name);
  return {
    goTo: step => app.goTo(step, {isSpoken: false}),
    steps: () =>
      app.film.steps.map((s, k) => ({
        step: k,
        kind: s.kind,
        title: titleOf(s, app.film, k),
        said: saidOf(s, app.film),
        box: s.box?.name ?? null,
        to: (s.wires ?? []).map(w => w.value.name),
      })),
    select: name => {
      app.select(named(name), {reveals: true});
      return named(name) !== null;
    },
    open: name => app.setOpen(app.graph.containerNamed(name), true),
    close: name => app.setOpen(app.graph.containerNamed(name), false),
    level: key => {
      if (key !== undefined && !levelOf(key)?.missing(app.data)) app.setLevel(key);
      return app.level;
    },
    state: () => ({
      level: app.level,
      step: app.step,
      last: app.film.last,
      selected: app.selected?.item?.name ?? app.selected?.wire?.key ?? null,
      element: app.element,
      playing: player.isPlaying,
      detail: stage.drawing.detail,
      boxes: app.scene.boxes.length,
      drawn: stage.drawing.elements.size,
      frames: app.scene.frames.map(f => f.name),
      values: valuesShown(app),
    }),
    labelBoxes: () => stage.drawing.whole(() => measuredBoxes(stage.drawing)),
    layout: plainLayout,
  };
}

function valuesShown({scene, film, step}) {
  return scene.boxes
    .filter(box => box.node)
    .map(box => {
      const found = film.gradient(box.node, box, step);
      return {
        name: box.name,
        key: box.key,
        value: film.isComputed(box, step) ? listOf(arrayOf(box.node.value)) : null,
        gradient: found ? listOf(found.array) : null,
        complete: found ? found.complete : null,
        owed: found ? found.owed.map(w => w.lower.name) : [],
      };
    });
}

function listOf(array) {
  return array.data ? Array.from(array.data, x => (Number.isFinite(x) ? x : notFinite(x))) : null;
}

/** Boxes, labels and heads of frames, each with the room of its texts as the browser measures it. */
function measuredBoxes(drawing) {
  const measured = [];
  for (const {element, thing} of drawing.elements.values()) {
    const texts = [...element.querySelectorAll('text')].map(t => t.getBBox()).filter(b => b.width > 0);
    const place = thing.layer === 'frames' ? thing.place.head : thing.place;
    if (thing.layer === 'back' || thing.layer === 'forward') continue;
    const {x, y} = thing.layer === 'frames' ? {x: 0, y: 0} : {x: place.left, y: place.top};
    measured.push({
      kind: thing.layer,
      key: thing.key,
      left: place.left,
      top: place.top,
      right: place.left + place.width,
      bottom: place.top + place.height,
      texts: texts.map(b => ({left: b.x + x, top: b.y + y, right: b.x + b.width + x, bottom: b.y + b.height + y})),
    });
  }
  return measured;
}
