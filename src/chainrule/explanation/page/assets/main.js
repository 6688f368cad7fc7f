// The page is put together here, from the data that it carries.

class Page {
  constructor(data) {
    const app = new App(data);
    Object.assign(this, {app, stage: new Stage(app), now: new Now(app), sheets: null, player: new Player(app)});
    this.sheets = new Sheets(app);
    this.search = new Search(app);
    this.heading(data);
    this.levels(data);
    this.theme();
    fillKeys();
    listenForKeys(this);
    this.numbers();
    this.stage.marks.onorigins = (refs, here) => this.sheets.details.maps.markOrigins(refs, here);
    app.on('scene', ({isNew}) => isNew && this.announceRuns());
    this.address = new Address(app);
    this.address.read();
    this.printing();
    this.menus();
    document.querySelector('.skip').addEventListener('click', event => {
      event.preventDefault(); // not an address of the page
      byId('graph').focus();
    });
    window.chainrule = lecturerInterface(this);
    document.documentElement.dataset.ready = '';
  }

  heading({title, lesson}) {
    byId('title').textContent = title;
    if (lesson) {
      byId('lesson').textContent = lesson;
      byId('lesson').hidden = false;
    }
  }

  levels(data) {
    const {app} = this,
      buttons = LEVELS.map(level => {
        const missing = level.missing(data);
        return button(level.title, level.title, () => app.setLevel(level.key), {
          class: 'level',
          title: missing ?? level.says,
          disabled: missing !== null,
          'data-level': level.key,
        });
      });
    byId('levels').append(...buttons);
    app.on('scene', () => {
      for (const b of buttons) b.setAttribute('aria-pressed', String(b.dataset.level === app.level));
    });
  }

  /** Light or dark, as the system has it until one chooses. */
  theme() {
    document.body.append(html('span', {id: 'scheme-probe', hidden: true}));
    const control = byId('theme');
    control.append(icon('theme'));
    const show = () => {
      control.title = `${isDark() ? 'Light' : 'Dark'} colours`;
      control.setAttribute('aria-label', control.title);
      for (const map of this.sheets.details.maps.all) map.draw();
    };
    control.addEventListener('click', () => {
      document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
      this.sheets.details.show(false);
      show();
    });
    window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
    show();
  }

  /** Numbers in the panel show their origins under the pointer, and when they have the focus. */
  numbers() {
    const {marks} = this.stage,
      point = e => {
        const ref = e.target.closest?.('[data-ref]')?.dataset.ref ?? null;
        if (ref !== marks.here) marks.pointAt(ref);
      };
    for (const event of ['pointerover', 'focusin']) byId('panel').addEventListener(event, point);
    for (const event of ['pointerleave', 'focusout'])
      byId('panel').addEventListener(event, () => marks.here && marks.pointAt(null));
  }

  /** Say so when operations are hidden that nobody closed. */
  announceRuns() {
    const runs = this.app.scene.boxes.filter(box => box.kind === 'run'),
      count = runs.reduce((sum, run) => sum + run.count, 0);
    say(runs.length ? `${counted(count, 'operation')}: shown in ${counted(runs.length, 'run')} that can be opened.` : '');
  }

  /** An open menu closes with Escape, and when one presses anywhere else. */
  menus() {
    const menus = [byId('legend'), document.querySelector('.stops-menu')];
    document.addEventListener('pointerdown', event => {
      for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
    });
    for (const menu of menus) {
      menu.addEventListener('keydown', event => {
        if (event.key !== 'Escape' || !menu.open) return;
        event.stopPropagation();
        menu.open = false;
        menu.querySelector('summary').focus();
      });
    }
  }

  printing() {
    const {drawing} = this.stage;
    window.addEventListener('beforeprint', () => {
      drawing.isWhole = true;
      drawing.drawnWindow = null;
      drawing.draw();
      byId('graph').setAttribute('viewBox', `-10 -10 ${drawing.nest.width + 20} ${drawing.nest.height + 20}`);
      drawing.view.removeAttribute('transform');
    });
    window.addEventListener('afterprint', () => {
      drawing.isWhole = false;
      drawing.drawnWindow = null;
      byId('graph').removeAttribute('viewBox');
      drawing.camera.moveTo({});
      drawing.draw();
    });
  }

  /** The item that keys act on: where they are, else what is selected. */
  current() {
    return this.stage.marks.cursor ?? this.app.selected?.item ?? null;
  }

  goToSelected() {
    const {item, wire} = this.app.selected ?? {};
    if (wire?.flows) this.app.goTo(wire.step);
    else if (item) this.app.goTo(this.app.film.stepOf(item.node ? item : this.app.scene.boxFor(item)) ?? this.app.step);
  }

  stopAtSelected() {
    const item = this.current();
    if (item) addStop(this.app, {item});
  }

  closeAround() {
    const around = this.current()
      ?.above.filter(c => c.kind !== 'root')
      .at(-1);
    if (around) this.app.setOpen(around, false);
  }
}

/** The data of the page; large ones are compressed. */
async function pageData() {
  const element = byId('chainrule-data');
  if (element.type === 'application/json') return JSON.parse(element.textContent);
  const stream = new Blob([fromBase64(element.textContent.trim(), Uint8Array)])
    .stream()
    .pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).json();
}

pageData().then(data => new Page(data));
