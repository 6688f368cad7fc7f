// The player runs the film: forward then backward, step by step, until the end or until a stop.

const SPEEDS = [0.5, 1, 2, 4, 8, 16, 32]; // steps in a second

class Player {
  constructor(app) {
    this.app = app;
    this.timer = null;
    this.speed = 1;
    const label = (says, key) => `${says} ( ${key} )`;
    this.play = button(label('Play', 'Space'), icon('play'), () => this.toggle(), {class: 'play'});
    this.scrubber = html('input', {type: 'range', min: 0, step: 1, 'aria-label': 'Step', oninput: () => this.scrub()});
    this.place = html('output', {class: 'place', for: 'scrubber'});
    this.pace = html(
      'select',
      {
        'aria-label': 'Speed, steps in a second',
        title: 'Steps in a second',
        onchange: () => this.setSpeed(Number(this.pace.value)),
      },
      SPEEDS.map(s => html('option', {value: s, selected: s === this.speed}, `${s} / s`)),
    );
    byId('player').append(
      html(
        'div',
        {class: 'buttons'},
        button(label('First', 'Home'), icon('first'), () => this.jump(0)),
        button(label('Back', ','), icon('back'), () => this.move(-1)),
        this.play,
        button(label('Step', '.'), icon('next'), () => this.move(1)),
        button(label('Last', 'End'), icon('last'), () => this.jump(Infinity)),
      ),
      html('div', {class: 'track'}, this.scrubber),
      this.place,
      this.pace,
      stopsControl(app),
    );
    for (const event of ['scene', 'step', 'stops']) app.on(event, () => this.show());
  }

  get isPlaying() {
    return this.timer !== null;
  }

  show() {
    const {film, step, event} = this.app;
    this.scrubber.max = film.last;
    this.scrubber.value = step;
    this.scrubber.setAttribute('aria-valuetext', `${titleOf(event, film, step)}, step ${step} of ${film.last}`);
    this.scrubber.style.setProperty('--turn', `${(100 * film.seedStep) / Math.max(1, film.last)}%`);
    this.scrubber.style.setProperty('--at', `${(100 * step) / Math.max(1, film.last)}%`);
    this.place.replaceChildren(html('b', {}, String(step)), ` / ${film.last}`);
    if (step === film.last) this.stop();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.pace.value = speed;
    if (this.isPlaying) {
      this.stop();
      this.start();
    }
  }

  toggle() {
    if (this.isPlaying) this.stop();
    else this.start();
  }

  start() {
    if (this.app.atLast) this.app.goTo(0, {isSpoken: false});
    this.timer = setInterval(() => this.advance(), 1000 / this.speed);
    this.showPlaying();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.showPlaying();
  }

  showPlaying() {
    const says = this.isPlaying ? 'Pause ( Space )' : 'Play ( Space )';
    this.play.replaceChildren(icon(this.isPlaying ? 'pause' : 'play'));
    this.play.setAttribute('aria-label', says);
    this.play.title = says;
  }

  advance() {
    const {app} = this;
    app.goTo(app.step + 1, {isSpoken: this.speed <= 1});
    const reason = reasonToStop(app);
    if (reason) {
      this.stop();
      say(reason);
    }
  }

  move(by) {
    this.stop();
    this.app.goTo(this.app.step + by);
  }

  jump(step) {
    this.stop();
    this.app.goTo(step);
  }

  scrub() {
    this.stop();
    this.app.goTo(Number(this.scrubber.value));
  }
}

// ---------------------------------------------------------------------------------------- stops
/** A stop is a place where playing pauses: {item} when something happens to a node, {above} when a gradient is larger. */
function reasonToStop({stops, event, film, step}) {
  for (const stop of stops) {
    if (stop.item && touchesItem(event, stop.item, film.scene)) return `Stopped: ${stop.item.name}.`;
    const over =
      stop.above !== undefined &&
      (event.wires ?? []).find(w => !(largest(film.gradient(w.value, w.upper, step)?.array) <= stop.above)); // nan too
    if (over) return `Stopped: ${over.value.gradient_name} exceeds ${plainNumber(stop.above)}.`;
  }
  return null;
}

function touchesItem(event, item, scene) {
  const box = scene.isFrame(item) ? null : scene.boxFor(item);
  const isIts = other => other === box || isInside(other, item);
  return event.kind === 'forward' ? isIts(event.box) : event.kind === 'backward' && event.wires.some(w => isIts(w.upper));
}

function stopsControl(app) {
  const limit = html('input', {type: 'number', step: 'any', min: 0, 'aria-label': 'Gradient limit', placeholder: 'X'});
  const list = html('ul', {class: 'stops'}),
    summary = html('summary', {title: 'Where playing stops'}, icon('stop'), html('span', {class: 'count'}));
  const form = html(
    'form',
    {
      onsubmit: event => {
        event.preventDefault();
        if (limit.value !== '' && Number.isFinite(limit.valueAsNumber)) addStop(app, {above: limit.valueAsNumber});
        limit.value = '';
      },
    },
    html('label', {}, 'when a gradient exceeds ', limit),
    html('button', {type: 'submit'}, 'Add'),
  );
  const here = html('button', {type: 'button', onclick: () => app.selected?.item && addStop(app, {item: app.selected.item})});
  const showHere = () => {
    here.textContent = app.selected?.item ? `at ${app.selected.item.name}` : 'at a selected node';
    here.disabled = !app.selected?.item;
  };
  const show = () => {
    summary.querySelector('.count').textContent = app.stops.length || '';
    list.replaceChildren(
      ...app.stops.map((stop, k) =>
        html(
          'li',
          {},
          stop.item ? `at ${stop.item.name}` : `gradient > ${plainNumber(stop.above)}`,
          button('Remove this stop', icon('remove'), () => removeStop(app, k)),
        ),
      ),
    );
  };
  app.on('stops', show);
  app.on('selection', showHere);
  return html(
    'details',
    {class: 'stops-menu', name: 'menu'},
    summary,
    html('div', {class: 'menu'}, html('h3', {}, 'Stop'), form, here, list),
  );
}

function addStop(app, stop) {
  if (!app.stops.some(s => s.item === stop.item && s.above === stop.above)) app.stops = [...app.stops, stop];
  app.tell('stops');
}

function removeStop(app, k) {
  app.stops = app.stops.filter((_, i) => i !== k);
  app.tell('stops');
}

/** A quiet message over the graph, that goes away by itself. */
function say(text) {
  const message = byId('message');
  message.textContent = text;
  message.hidden = !text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (message.hidden = true), 7000);
}
