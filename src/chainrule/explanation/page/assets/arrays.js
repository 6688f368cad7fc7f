// An array is a shape with numbers in row-major order, or, where there are too many, with a small picture of their averages.

const DECODED = new WeakMap(); // each array of the document is decoded once, when somebody looks

/** The bytes of a base64 text as numbers of one kind, little endian as the document has them. */
function fromBase64(text, Kind) {
  const raw = atob(text),
    bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return new Kind(bytes.buffer);
}

const NAMED_NUMBERS = {nan: NaN, inf: Infinity, '-inf': -Infinity};

/** A number of the document; those that are not finite are written as words there. */
function numberOf(x) {
  return typeof x === 'string' ? NAMED_NUMBERS[x] : (x ?? NaN);
}

/**
 * An array of the document, decoded: `shape`, `size`, `stats`; `data` (null if there are too many), `thumbnail` (or null), and
 * `parts`, the arrays of an operation with several outputs (or null); the elements of a part are counted from `offset`. `kind` is
 * "real", "whole" or "truth".
 */
function arrayOf(json) {
  if (!json) return null;
  let found = DECODED.get(json);
  if (!found) DECODED.set(json, (found = decoded(json)));
  return found;
}

/** The arrays of an operation with several outputs, as one. */
function tupleOf(parts) {
  let size = 0;
  for (const part of parts) {
    part.offset = size;
    size += part.size;
  }
  return {
    shape: null,
    size,
    parts,
    offset: 0,
    data: parts.every(p => p.data) ? joined(parts) : null,
    thumbnail: null,
    stats: null,
    kind: 'real',
  };
}

function decoded(json) {
  if (json.tuple) return tupleOf(json.tuple.map(arrayOf));
  const size = json.shape.reduce((a, b) => a * b, 1);
  const array = {
    shape: json.shape,
    size,
    parts: null,
    thumbnail: null,
    data: null,
    offset: 0,
    stats: finiteStats(json.stats),
    kind: json.kind ?? 'real',
  };
  if ('value' in json) {
    if (typeof json.value === 'boolean') array.kind = 'truth';
    array.data = Float64Array.of(Number(numberOf(json.value)));
  } else if ('data' in json) {
    array.data = fromBase64(json.data, Float64Array);
  } else if (json.thumbnail) {
    array.thumbnail = {...json.thumbnail, data: fromBase64(json.thumbnail.data, Float32Array)};
  }
  array.stats ??= array.data && statsOf(array.data);
  return array;
}

function joined(parts) {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.size, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part.data, at);
    at += part.size;
  }
  return all;
}

function finiteStats(stats) {
  return stats
    ? {...stats, min: numberOf(stats.min), max: numberOf(stats.max), mean: numberOf(stats.mean), norm: numberOf(stats.norm)}
    : null;
}

/** What is said of numbers as a whole; the histogram is left to the document. */
function statsOf(data) {
  let min = Infinity,
    max = -Infinity,
    sum = 0,
    squares = 0,
    zeros = 0,
    nonfinite = 0;
  for (const x of data) {
    sum += x;
    squares += x * x;
    if (x === 0) zeros++;
    if (!Number.isFinite(x)) nonfinite++;
    if (x < min) min = x;
    if (x > max) max = x;
  }
  return {count: data.length, min, max, mean: sum / data.length, norm: Math.sqrt(squares), zeros, nonfinite, histogram: null};
}

/** The sum of arrays of one shape; of averages, the sum of the averages. */
function sumOf(arrays) {
  if (arrays.length === 1) return arrays[0];
  const [first] = arrays;
  if (first.parts) return tupleOf(first.parts.map((_, k) => sumOf(arrays.map(a => ({...a.parts[k]})))));
  const total = {
    shape: first.shape,
    size: first.size,
    parts: null,
    data: null,
    thumbnail: null,
    offset: 0,
    stats: null,
    kind: 'real',
  };
  if (arrays.every(a => a.data)) {
    total.data = added(
      arrays.map(a => a.data),
      Float64Array,
    );
    total.stats = statsOf(total.data);
  } else if (arrays.every(a => a.thumbnail)) {
    total.thumbnail = {
      ...first.thumbnail,
      data: added(
        arrays.map(a => a.thumbnail.data),
        Float32Array,
      ),
    };
  }
  return total;
}

function added(lists, Kind) {
  const total = new Kind(lists[0].length);
  for (const list of lists) for (let i = 0; i < total.length; i++) total[i] += list[i];
  return total;
}

/** The largest absolute value, or NaN where one is not a number. */
function largest(array) {
  if (!array) return 0;
  if (array.parts) return array.parts.reduce((most, part) => Math.max(most, largest(part)), 0);
  if (array.data) return array.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return array.stats ? Math.max(Math.abs(array.stats.min), Math.abs(array.stats.max)) : NaN;
}

/** The norm, over all parts of a tuple; null where it is not known. */
function normOf(array) {
  if (array.parts) return Math.hypot(...array.parts.map(normOf));
  return array.stats ? array.stats.norm : null;
}

/** The index of an element counted in row-major order. */
function unraveled(flat, shape) {
  const index = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(flat % shape[axis]);
    flat = Math.floor(flat / shape[axis]);
  }
  return index;
}

function raveled(index, shape) {
  return index.reduce((flat, i, axis) => flat * shape[axis] + i, 0);
}

/** An element as it is written: a number, or True and False. */
function elementOf(array, at) {
  return array.kind === 'truth' ? Boolean(array.data[at]) : array.data[at];
}

/** An element to its last digit. */
function exactElement(array, at) {
  return array.kind === 'whole' ? String(array.data[at]) : exactNumber(elementOf(array, at));
}
