// A search finds values and modules by name, operation, module and source line.

const MOST_FOUND = 40;

class Search {
  constructor(app) {
    Object.assign(this, {app, input: byId('search'), list: byId('found'), at: -1, results: []});
    this.input.addEventListener('input', () => this.show());
    this.input.addEventListener('focus', () => this.show());
    this.input.addEventListener('keydown', e => this.key(e));
    this.input.addEventListener('blur', () => setTimeout(() => this.close(), 150));
    app.on('scene', ({isNew}) => isNew && (this.entries = null));
  }

  /** The words by which an item is found. */
  entriesNow() {
    return (this.entries ??= [...this.app.graph.items.values()].map(item => {
      const n = item.node,
        modules = item.above.filter(c => c.kind === 'group').map(c => c.name);
      const about = n
        ? [n.operation ? called(n) : n.kind, n.source, modules.at(-1)]
        : [item.group?.kind ?? 'run', item.group?.calls > 1 ? `call ${item.group.call}` : null];
      const words = [item.name, ...about, ...modules].filter(Boolean);
      const text = words.join(' ').toLowerCase();
      return {item, name: item.name.toLowerCase(), about: about.filter(Boolean).join(' · '), text};
    }));
  }

  /** The best first: the name itself, names that begin so, then all that have every word somewhere. */
  find(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const found = this.entriesNow().filter(e => words.every(word => e.text.includes(word)));
    const rank = e => (e.name === words[0] ? 0 : e.name.startsWith(words[0]) ? 1 : e.name.includes(words[0]) ? 2 : 3);
    return found.sort((a, b) => rank(a) - rank(b));
  }

  show() {
    const all = this.find(this.input.value);
    this.results = all.slice(0, MOST_FOUND);
    this.at = this.results.length ? 0 : -1;
    const isAsked = this.input.value.trim() !== '';
    this.list.replaceChildren(
      ...this.results.map((e, k) =>
        html(
          'li',
          {
            role: 'option',
            id: `found-${k}`,
            onpointerdown: event => {
              event.preventDefault();
              this.jump(k);
            },
          },
          html('span', {class: 'name'}, e.item.name),
          ' ',
          html('span', {class: 'quiet'}, e.about),
        ),
      ),
      ...(isAsked && all.length !== this.results.length
        ? [html('li', {class: 'quiet', role: 'presentation'}, all.length ? `and ${all.length - MOST_FOUND} more` : '')]
        : []),
      ...(isAsked && !all.length
        ? [html('li', {class: 'quiet', role: 'presentation'}, 'Nothing has this name, operation, module or line.')]
        : []),
    );
    this.list.hidden = !isAsked;
    this.input.setAttribute('aria-expanded', String(isAsked));
    this.highlight();
  }

  highlight() {
    [...this.list.querySelectorAll('[role=option]')].forEach((option, k) => {
      option.setAttribute('aria-selected', String(k === this.at));
      if (k === this.at) option.scrollIntoView({block: 'nearest'});
    });
    if (this.at >= 0) this.input.setAttribute('aria-activedescendant', `found-${this.at}`);
    else this.input.removeAttribute('aria-activedescendant');
  }

  key(event) {
    const by = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (by && this.results.length) {
      event.preventDefault();
      this.at = (this.at + by + this.results.length) % this.results.length;
      this.highlight();
    } else if (event.key === 'Enter' && this.at >= 0) {
      event.preventDefault();
      this.jump(this.at);
    } else if (event.key === 'Escape') {
      this.input.value = '';
      this.close();
      byId('graph').focus();
    }
    event.stopPropagation();
  }

  jump(k) {
    const {item} = this.results[k];
    this.close();
    this.app.select(item, {reveals: true});
    byId('graph').focus({preventScroll: true});
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute('aria-expanded', 'false');
  }
}
