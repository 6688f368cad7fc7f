// A cell is an array written in the graph: a few lines of tokens, each number a token that knows which element it is.

const WIDEST_MATRIX = 5,
  MOST_INLINE = 6;

/** A piece of a line. `element` is the place in the array, in row-major order; null for brackets and for the whole. */
function token(text, element = null, exact = null) {
  return {text, element, exact};
}

function numberToken(array, at, pad = 0) {
  return token(plainNumber(elementOf(array, at)).padStart(pad), array.offset + at, exactElement(array, at));
}

/** An array on one line when it is small; else its shape. */
function inlineTokens(array, most = MOST_INLINE) {
  if (array.parts) return array.parts.flatMap((part, k) => [...(k ? [token('; ')] : []), ...inlineTokens(part, most)]);
  if (!array.data || (array.size > most && array.shape.length)) return [token(plainShape(array.shape))];
  return bracketed(array, array.shape, 0);
}

function bracketed(array, shape, from) {
  if (!shape.length) return [numberToken(array, from)];
  const step = shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = Array.from({length: shape[0]}, (_, k) => [
    ...(k ? [token(', ')] : []),
    ...bracketed(array, shape.slice(1), from + k * step),
  ]);
  return [token('['), ...rows.flat(), token(']')];
}

/** Small arrays in full, a line for each row; of large ones the shape and the range. */
function cellLines(array) {
  return (array.cells ??= madeCell(array));
}

function madeCell(array) {
  if (array.parts) return array.parts.flatMap(cellLines);
  const {shape, size} = array;
  if (array.data && (size <= 3 || (shape.length === 1 && size <= WIDEST_MATRIX))) return [inlineTokens(array)];
  if (!array.data || shape.length !== 2 || Math.max(...shape) > WIDEST_MATRIX)
    return [[token(plainShape(shape))], ...rangeLine(array)];
  return matrixLines(array, shape[0], shape[1]);
}

function rangeLine(array) {
  if (!array.stats) return [];
  const {min, max} = array.stats;
  return [[token(plainNumber(min), null, exactNumber(min)), token(' to '), token(plainNumber(max), null, exactNumber(max))]];
}

function matrixLines(array, rows, columns) {
  const width = column =>
    Math.max(...Array.from({length: rows}, (_, r) => plainNumber(elementOf(array, r * columns + column)).length));
  const widths = Array.from({length: columns}, (_, c) => width(c));
  return Array.from({length: rows}, (_, r) => [
    token(r ? ' [' : '[['),
    ...widths.flatMap((w, c) => [...(c ? [token(', ')] : []), numberToken(array, r * columns + c, w)]),
    token(r === rows - 1 ? ']]' : '],'),
  ]);
}

function textOf(tokens) {
  return tokens.map(t => t.text).join('');
}
