// A key does on the graph what buttons do, so that everything can be done without a pointer.

const KEYS = [
  {keys: [' '], shown: 'Space', says: 'play and pause', act: page => page.player.toggle()},
  {keys: ['.', '>'], shown: '.', says: 'one step on', act: page => page.player.move(1)},
  {keys: [',', '<'], shown: ',', says: 'one step back', act: page => page.player.move(-1)},
  {keys: ['Home'], shown: 'Home', says: 'first step: only what is given', act: page => page.player.jump(0)},
  {keys: ['End'], shown: 'End', says: 'last step: everything', act: page => page.player.jump(Infinity)},
  {keys: ['ArrowUp'], shown: '↑', says: 'to an argument (in the graph)', inGraph: true, act: page => page.stage.walk('up')},
  {keys: ['ArrowDown'], shown: '↓', says: 'to a result (in the graph)', inGraph: true, act: page => page.stage.walk('down')},
  {
    keys: ['ArrowLeft'],
    shown: '←',
    says: 'to the box on the left (in the graph)',
    inGraph: true,
    act: page => page.stage.walk('left'),
  },
  {
    keys: ['ArrowRight'],
    shown: '→',
    says: 'to the box on the right (in the graph)',
    inGraph: true,
    act: page => page.stage.walk('right'),
  },
  {
    keys: ['Enter'],
    shown: 'Enter',
    says: 'select the box the keys are on',
    inGraph: true,
    act: page => page.app.select(page.stage.marks.cursor),
  },
  {
    keys: ['n'],
    shown: 'N',
    says: 'to the next number of this box, and what it was made of',
    act: page => page.stage.nextNumber(),
  },
  {keys: ['g'], shown: 'G', says: 'go to the step of what is selected', act: page => page.goToSelected()},
  {keys: ['b'], shown: 'B', says: 'stop playing at what is selected', act: page => page.stopAtSelected()},
  {keys: ['o'], shown: 'O', says: 'open or close what is selected', act: page => page.stage.open(page.current())},
  {keys: ['u'], shown: 'U', says: 'close what is around it', act: page => page.closeAround()},
  {keys: ['+', '='], shown: '+', says: 'closer', act: page => page.stage.camera.zoom(ZOOM_STEP)},
  {keys: ['-', '_'], shown: '-', says: 'farther', act: page => page.stage.camera.zoom(1 / ZOOM_STEP)},
  {keys: ['0'], shown: '0', says: 'all of the graph', act: page => page.stage.camera.fit()},
  {keys: ['/'], shown: '/', says: 'search', act: () => byId('search').focus()},
  {keys: ['Escape'], shown: 'Esc', says: 'select nothing', act: page => page.app.select(null)},
  {keys: ['?'], shown: '?', says: 'this list', act: () => byId('keys').showModal()},
];

/** Keys work wherever nothing else needs them: not while one writes, and a focused button keeps its space and enter. */
function listenForKeys(page) {
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || byId('keys').open) return;
    const {target} = event,
      isGraph = target === byId('graph');
    if (target.closest('input, select, textarea') && !(target.type === 'range' && !RANGE_KEYS.has(event.key))) return;
    if (target.closest('button, summary, a') && (event.key === ' ' || event.key === 'Enter')) return;
    const found = KEYS.find(k => k.keys.includes(event.key) && (!k.inGraph || isGraph));
    if (!found) return;
    event.preventDefault();
    found.act(page);
  });
}

const RANGE_KEYS = new Set(['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown']);

function fillKeys() {
  const dialog = byId('keys');
  dialog.append(
    html('h2', {id: 'keys-title'}, 'Keys'),
    html(
      'dl',
      {},
      KEYS.map(k => [html('dt', {}, html('kbd', {}, k.shown)), html('dd', {}, k.says)]),
    ),
    html('form', {method: 'dialog'}, html('button', {}, 'Close')),
  );
  byId('help').addEventListener('click', () => dialog.showModal());
}
