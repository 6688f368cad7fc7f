// A heat map shows the numbers of an array, or of a slice of it, as colours around zero; one can point at an element and pin it.

const MAP_WIDTH = 372,
  MAP_HEIGHT = 360,
  WRAPPED = 32; // pixels; elements of a vector in a row
const FEWEST_IN_BARS = 12;
const READABLE = 44,
  SIGNED = 9; // the width of cells from which numbers are written in them, and minus signs
const SCHEMES = {
  // from the most negative over zero to the most positive: purple and green differ for every kind of colour vision
  light: {
    stops: ['#762a83', '#9970ab', '#f7f7f5', '#5aae61', '#1b7837'],
    missing: '#f3d9a4',
    onWeak: '#24292f',
    onStrong: '#ffffff',
  },
  dark: {
    stops: ['#d6a8ea', '#8f5ba5', '#20262e', '#3f8a50', '#86dd9a'],
    missing: '#5a4b2e',
    onWeak: '#e6edf3',
    onStrong: '#16191d',
  },
};

class HeatMap {
  /** `on` has the functions hover(element), pin(element) and move(element): null where there is no element. */
  constructor(array, label, on) {
    Object.assign(this, {array, on, kind: null, slice: 0, hovered: null, pinned: null, marked: new Set()});
    this.canvas = html('canvas', {class: 'map', tabindex: array.data ? 0 : null, role: 'img', 'aria-label': label});
    const {canvas} = this;
    canvas.addEventListener('pointermove', e => on.hover(this.elementAt(e)));
    canvas.addEventListener('pointerleave', () => on.hover(null));
    canvas.addEventListener('click', e => on.pin(this.elementAt(e)));
    canvas.addEventListener('keydown', e => this.key(e));
    this.arrange();
  }

  /** Rows and columns of what is shown, and the size of its cells. */
  arrange() {
    const {array} = this,
      shape = array.shape,
      picture = array.thumbnail;
    if (picture) {
      Object.assign(this, {
        rows: picture.rows,
        columns: picture.cols,
        count: picture.rows * picture.cols,
        data: picture.data,
        start: 0,
      });
    } else {
      const isVector = shape.length === 1 || (shape.length === 2 && Math.min(...shape) === 1);
      const inner = shape.length > 2 ? shape.slice(-2) : shape,
        count = isVector ? array.size : inner.reduce((a, b) => a * b, 1);
      const columns = isVector ? (shape.at(-1) === 1 && array.size <= 12 ? 1 : Math.min(array.size, WRAPPED)) : inner[1];
      Object.assign(this, {columns, count, rows: Math.ceil(count / columns), data: array.data, start: this.slice * count});
    }
    const room = Math.min(MAP_WIDTH, (byId('panel')?.clientWidth || MAP_WIDTH + 40) - 40),
      isSmall = this.columns <= 6 && this.rows <= 12;
    this.width = isSmall ? Math.min(68, room / this.columns) : Math.min(26, room / this.columns);
    this.height = isSmall ? 26 : Math.min(26, Math.max(this.width, Math.min(4, MAP_HEIGHT / this.rows)), MAP_HEIGHT / this.rows);
    this.most = this.array.stats ? Math.max(Math.abs(this.array.stats.min), Math.abs(this.array.stats.max)) || 0 : 0;
    if (picture || !Number.isFinite(this.most))
      this.most = this.data.reduce((m, x) => (Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m), 0);
  }

  draw() {
    const {canvas, rows, columns, width, height} = this,
      sharp = Math.min(3, window.devicePixelRatio || 1);
    canvas.style.width = `${columns * width}px`;
    canvas.style.height = `${rows * height}px`;
    canvas.width = Math.max(1, Math.round(columns * width * sharp));
    canvas.height = Math.max(1, Math.round(rows * height * sharp));
    const paint = canvas.getContext('2d');
    paint.scale(sharp, sharp);
    const scheme = SCHEMES[isDark() ? 'dark' : 'light'],
      gap = Math.min(width, height) >= 8 ? 1 : 0;
    for (let k = 0; k < this.count; k++) {
      const x = (k % columns) * width,
        y = Math.floor(k / columns) * height,
        number = this.data[this.start + k];
      paint.fillStyle = colourOf(number, this.most, scheme);
      paint.fillRect(x, y, width - gap + (gap ? 0 : 0.3), height - gap + (gap ? 0 : 0.3));
      if (Math.min(width, height) >= SIGNED) this.writeCell(paint, number, x, y, scheme);
    }
    for (const k of this.marked) this.outline(paint, k, 'origin');
    if (this.hovered !== null) this.outline(paint, this.hovered, 'hover');
    if (this.pinned !== null) this.outline(paint, this.pinned, 'pinned');
  }

  /** The number itself where there is room; else a minus sign in negative cells, and a cross where it is not finite. */
  writeCell(paint, number, x, y, scheme) {
    const {width, height} = this;
    paint.fillStyle = Math.abs(number) > 0.3 * this.most ? scheme.onStrong : scheme.onWeak;
    paint.textAlign = 'center';
    paint.textBaseline = 'middle';
    if (width >= READABLE) {
      paint.font = '11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace';
      paint.fillText(
        plainNumber(this.array.kind === 'truth' ? Boolean(number) : number),
        x + width / 2,
        y + height / 2 + 0.5,
        width - 4,
      );
    } else if (!Number.isFinite(number)) {
      paint.fillText('×', x + width / 2, y + height / 2);
    } else if (number < 0) {
      paint.fillRect(x + width / 2 - 2.5, y + height / 2 - 1, 4, 1);
    }
  }

  outline(paint, element, kind) {
    const k = element - this.start;
    if (k < 0 || k >= this.count) return;
    const x = (k % this.columns) * this.width,
      y = Math.floor(k / this.columns) * this.height;
    paint.strokeStyle = themeColour({origin: '--accent', hover: '--quiet', pinned: '--text'}[kind]);
    paint.lineWidth = kind === 'pinned' ? 2 : 1.5;
    paint.strokeRect(x + 0.5, y + 0.5, Math.max(2, this.width - 1.5), Math.max(2, this.height - 1.5));
  }

  elementAt({clientX, clientY}) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((clientX - box.left) / this.width),
      row = Math.floor((clientY - box.top) / this.height),
      k = row * this.columns + column;
    return column >= 0 && column < this.columns && row >= 0 && k >= 0 && k < this.count ? this.start + k : null;
  }

  key(event) {
    const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns}[event.key];
    if (by === undefined || !this.array.data) return;
    event.preventDefault();
    event.stopPropagation();
    const from = this.pinned ?? this.start,
      to = this.pinned === null ? from : from + by;
    if (to >= this.start && to < this.start + this.count) this.on.move(to);
  }

  /** The slice that an element is in. */
  sliceOf(element) {
    return Math.floor(element / (this.array.shape.at(-1) * this.array.shape.at(-2)));
  }

  /** Show another slice of an array with more than two axes. */
  setSlice(slice) {
    this.slice = slice;
    this.arrange();
    this.draw();
  }
}

function isDark() {
  return getComputedStyle(byId('scheme-probe')).color === 'rgb(255, 255, 255)';
}

function themeColour(name) {
  const probe = byId('scheme-probe');
  probe.style.backgroundColor = `var(${name})`;
  return getComputedStyle(probe).backgroundColor;
}

/** The colour of a number on a scale from -most to most. */
function colourOf(x, most, {stops, missing}) {
  if (!Number.isFinite(x)) return missing;
  const at = most ? 2 + 2 * Math.sign(x) * Math.sqrt(Math.min(1, Math.abs(x) / most)) : 2,
    low = Math.min(3, Math.floor(at));
  const [a, b] = [stops[low], stops[low + 1]].map(c => [1, 3, 5].map(i => parseInt(c.slice(i, i + 2), 16)));
  return `rgb(${a.map((v, i) => Math.round(v + (b[i] - v) * (at - low))).join(' ')})`;
}

/** What the colours of a map mean, with numbers. */
function mapLegend(most) {
  const scheme = SCHEMES[isDark() ? 'dark' : 'light'],
    shades = Array.from({length: 17}, (_, i) => colourOf(((i - 8) / 8) * most, most, scheme));
  return html(
    'div',
    {class: 'map-legend', 'aria-hidden': 'true'},
    html('span', {}, plainNumber(-most)),
    html('span', {
      class: 'bar',
      style: `background: linear-gradient(to right, ${(most ? shades : [scheme.stops[2], scheme.stops[2]]).join(', ')})`,
    }),
    html('span', {}, plainNumber(most)),
  );
}

/** The histogram of the document as bars; a few numbers are seen better in the map. */
function histogram(stats) {
  const found = stats?.histogram;
  if (!found || stats.count < FEWEST_IN_BARS) return null;
  const most = Math.max(...found.counts),
    bars = found.counts.map((count, i) =>
      svg(
        'rect',
        {x: i * 4, width: 3.4, y: 36 - 36 * Math.sqrt(count / most), height: 36 * Math.sqrt(count / most)},
        svg('title', {}, `${counted(count, 'element')}`),
      ),
    );
  const low = numberOf(found.low),
    high = numberOf(found.high);
  return html(
    'figure',
    {class: 'histogram'},
    svg(
      'svg',
      {
        viewBox: '0 0 128 36',
        role: 'img',
        preserveAspectRatio: 'none',
        'aria-label': `Histogram from ${plainNumber(low)} to ${plainNumber(high)}`,
      },
      bars,
    ),
    html(
      'figcaption',
      {},
      html('span', {title: exactNumber(low)}, plainNumber(low)),
      html('span', {class: 'quiet'}, 'histogram, heights by square root'),
      html('span', {title: exactNumber(high)}, plainNumber(high)),
    ),
  );
}
