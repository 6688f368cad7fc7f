// A line is a row of tokens in a box of the graph; a token that is a number knows which number it is, by a reference.
//
// References: "value/NODE", "gradient/NODE", "flow/WIRE" (a contribution), each with "/ELEMENT" behind it for one element; see
// origins.js.

const LONGEST = 44,
  MOST_LINES = 8,
  MOST_SUMMANDS = 4,
  MOST_VALUES = 3; // characters, lines, terms of a sum, values of a closed module
const FORWARD = '▼',
  BACK = '▲',
  PARTLY = '△',
  NOT_YET = '·';

function line(kind, ...tokens) {
  return {kind, tokens: cut(tokens.flat())};
}

/** At most so many characters; what is cut off ends in an ellipsis. */
function cut(tokens, longest = LONGEST) {
  const kept = [];
  let left = longest;
  const total = tokens.reduce((sum, t) => sum + t.text.length, 0);
  if (total <= longest) return tokens;
  for (const t of tokens) {
    if (t.text.length >= left) return [...kept, {...t, text: `${t.text.slice(0, left - 1)}…`}];
    kept.push(t);
    left -= t.text.length;
  }
  return kept;
}

function referred(tokens, reference) {
  return tokens.map(t => ({...t, ref: t.element === null ? reference : `${reference}/${t.element}`}));
}

/** An array in a box, behind a head; where they are too long for one line the head has its own, and wide rows are summed up. */
function arrayLines(kind, head, array, reference) {
  const width = lines => lines.reduce((most, tokens) => Math.max(most, textOf(tokens).length), 0),
    all = cellLines(array);
  const cells =
    all.length <= MOST_LINES && width(all) < LONGEST
      ? all
      : [[token(plainShape(array.shape ?? [array.size]))], ...rangeLine(array)];
  const isLong = head.length > 4 && head.length + width(cells) > LONGEST,
    indent = isLong ? '  ' : ' '.repeat(head.length);
  const rows = cells.map((tokens, k) => line(kind, token(k || isLong ? indent : head), referred(tokens, reference)));
  return isLong ? [line(kind, token(head.trimEnd())), ...rows] : rows;
}

/** What is written in a box at a step of the film. */
function boxLines(box, film, step) {
  return box.node ? nodeLines(box, film, step) : containerLines(box, film, step);
}

function nodeLines(box, film, step) {
  const n = box.node,
    known = film.isComputed(box, step),
    reference = referenceTo('value', n.id);
  const lines = [line('name', token(n.name), n.shape.length ? [{...token(` ${plainShape(n.shape)}`), quiet: true}] : [])];
  if (!n.formula) {
    lines.push(line('quiet', token(n.kind === 'input' ? 'given' : 'constant')));
  } else {
    lines.push(line('quiet', token(`= ${n.formula.text}`)));
    if (n.numbers) lines.push(line('quiet', token('= '), {...token(known ? n.numbers.text : NOT_YET), ref: reference}));
  }
  lines.push(
    ...(known
      ? arrayLines('value', `${FORWARD} `, arrayOf(n.value), reference)
      : [line('value', token(`${FORWARD} ${NOT_YET}`))]),
  );
  return [...lines, ...gradientLines(n, box, film, step)];
}

/** Below the value, where one flows: the sum of the contributions, and the gradient, or what there is of it so far. */
function gradientLines(n, box, film, step) {
  const found = film.gradient(n, box, step);
  if (!found) return [];
  const {arrived, owed, complete, array} = found,
    lines = [];
  if (arrived.length + owed.length > 1) lines.push(line('gradient', token('Σ '), summed(arrived, owed)));
  const head = complete ? `${BACK} ${n.gradient_name} = ` : `${PARTLY} ${n.gradient_name} so far `;
  return [...lines, ...arrayLines('gradient', head, array, referenceTo('gradient', n.id))];
}

/** The contributions of a sum; those that have not arrived are dots. */
function summed(arrived, owed) {
  const many = arrived.length + owed.length;
  if (many > MOST_SUMMANDS) return [token(owed.length ? `${arrived.length} of ${many} edges` : `of ${many} edges`)];
  const terms = arrived.map((w, k) => {
    const tokens = referred(inlineTokens(w.contribution), referenceTo('flow', w.key));
    return k && tokens[0].text.startsWith('-') ? [token('('), ...tokens, token(')')] : tokens;
  });
  return [...terms, ...owed.map(() => [token(NOT_YET)])].flatMap((tokens, k) => (k ? [token(' + '), ...tokens] : tokens));
}

function containerLines(box, film, step) {
  const known = film.isComputed(box, step),
    shown = film.scene.shown(box),
    call = callOf(box);
  const lines = [
    line('name', token(box.name), {...token(kindOf(box)), quiet: true}),
    line('quiet', token(counted(box.count, 'operation') + call)),
  ];
  for (const n of shown.slice(0, MOST_VALUES)) {
    const name = `${FORWARD} ${n.name} = `,
      array = known && referred(inlineTokens(arrayOf(n.value)), referenceTo('value', n.id));
    lines.push(line('value', token(name), array || token(NOT_YET)));
    const found = film.gradient(n, box, step);
    if (found) {
      const head = found.complete ? `${BACK} ${n.gradient_name} = ` : `${PARTLY} ${n.gradient_name} so far `;
      lines.push(line('gradient', token(head), referred(inlineTokens(found.array), referenceTo('gradient', n.id))));
    }
  }
  const more = shown.length - MOST_VALUES;
  if (more > 0) lines.push(line('quiet', token(`… and ${counted(more, 'more value')}`)));
  return lines;
}

/** The label of a cord: what it contributes, once it has; null where only a value goes down. */
function cordLines(cord, step) {
  const {flowing} = cord;
  if (!flowing.length) return null;
  const flown = flowing.filter(w => w.step <= step);
  if (flowing.length === 1) {
    const [w] = flown;
    if (!w) return [];
    const reference = referenceTo('flow', w.key),
      isShort = !isSingle(cord.upper) || !isSingle(cord.lower);
    return isShort
      ? [line('gradient', token(`${BACK} `), referred(inlineTokens(w.contribution), reference))]
      : arrayLines('gradient', `${BACK} `, w.contribution, reference);
  }
  return flown.length ? [line('gradient', token(`${BACK} ${counted(flown.length, 'gradient')}`))] : [];
}

/** The head of an open frame. */
function headLines(item) {
  const n = item.node;
  if (n) return [line('name', token(n.name), {...token(` = ${n.formula?.text ?? n.operation}`), quiet: true})];
  return [line('name', token(item.name), {...token(kindOf(item) + callOf(item)), quiet: true})];
}

/** What kind of module it is, behind its name. */
function kindOf({group}) {
  return group?.name && group.kind ? ` ${group.kind}` : '';
}

function callOf({group}) {
  return group?.calls > 1 ? `, call ${group.call} of ${group.calls}` : '';
}
