// A number is written as people write it, and its exact digits are kept for those who ask.

/** Whether a number without sign lies exactly between two with this many decimals; a quick test mostly spares the exact one. */
function isHalf(size, decimals) {
  const scaled = decimals < 0 ? size / 10 ** -decimals : size * 10 ** decimals;
  if (Math.abs(decimals) <= 22 && (!Number.isInteger(2 * scaled) || Number.isInteger(scaled))) return false;
  const exact = size.toExponential(100),
    power = Number(exact.split('e')[1]),
    kept = power + 1 + decimals;
  const digits = exact[0] + exact.slice(2, exact.indexOf('e'));
  return kept >= 0 && digits[kept] === '5' && /^0*$/.test(digits.slice(kept + 1));
}

/** Fixed decimals, a half rounded to the even neighbour as in C and Python (JavaScript rounds it up). */
function fixedDecimals(x, decimals) {
  const sign = x < 0 ? '-' : '',
    size = Math.abs(x);
  let written = size.toFixed(decimals);
  if (isHalf(size, decimals) && Number(written.at(-1)) % 2) written = (size - 0.5 / 10 ** decimals).toFixed(decimals);
  return sign + written;
}

/** Significant digits as C's %g writes them. */
function generalDigits(x, count) {
  const sign = x < 0 ? '-' : '',
    size = Math.abs(x);
  let [mantissa, exponent] = size.toExponential(count - 1).split('e');
  const power = Math.floor(Math.log10(size || 1)),
    decimals = count - 1 - power;
  if (isHalf(size, decimals) && Number(mantissa.at(-1)) % 2) {
    [mantissa, exponent] = (size - 0.5 / 10 ** decimals).toExponential(count - 1).split('e');
  }
  return sign + placed(mantissa, Number(exponent), count);
}

/** A mantissa with its point where the exponent says, unless that is far away. */
function placed(mantissa, power, count) {
  if (power < -4 || power >= count) return `${trimmedZeros(mantissa)}e${power < 0 ? '-' : '+'}${twoDigits(power)}`;
  const all = mantissa.replace('.', '');
  return trimmedZeros(power < 0 ? `0.${'0'.repeat(-power - 1)}${all}` : `${all.slice(0, power + 1)}.${all.slice(power + 1)}`);
}

function twoDigits(power) {
  return String(Math.abs(power)).padStart(2, '0');
}

function trimmedZeros(decimal) {
  return decimal.includes('.') ? decimal.replace(/0+$/, '').replace(/\.$/, '') : decimal;
}

/** Whole numbers and short decimals in full, others with four decimals or four digits. */
function plainNumber(x) {
  if (typeof x === 'boolean') return x ? 'True' : 'False';
  if (!Number.isFinite(x)) return notFinite(x);
  const size = Math.abs(x);
  if (Number.isInteger(x) && size < 1e7) return String(x === 0 ? 0 : x);
  if (size >= 1e-4 && size < 1e7) {
    const short = generalDigits(x, 6);
    if (Number(short) === x) return short;
  }
  if (size >= 0.01 && size < 1e5) return trimmedZeros(fixedDecimals(x, 4));
  return generalDigits(x, 4)
    .replace(/e([+-])0*(\d)/, 'e$1$2')
    .replace('e+', 'e');
}

function notFinite(x) {
  return Number.isNaN(x) ? 'nan' : x > 0 ? 'inf' : '-inf';
}

/** The shortest digits that stand for this number and no other, as Python's repr writes them. */
function exactNumber(x) {
  if (typeof x === 'boolean') return x ? 'True' : 'False';
  if (!Number.isFinite(x)) return notFinite(x);
  const sign = x < 0 || Object.is(x, -0) ? '-' : '';
  const [mantissa, exponent] = Math.abs(x).toExponential().split('e');
  const digits = mantissa.replace('.', ''),
    power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${sign}${mantissa}e${power < 0 ? '-' : '+'}${twoDigits(power)}`;
  }
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`;
  return `${sign}${digits.slice(0, power + 1).padEnd(power + 1, '0')}.${digits.slice(power + 1) || '0'}`;
}

function plainShape(shape) {
  return `(${shape.join('×')}${shape.length === 1 ? ',' : ''})`;
}

function plainPercent(x) {
  if (x === null || Number.isNaN(x)) return '—';
  return Math.abs(x) >= 0.001 || x === 0 ? `${fixedDecimals(100 * x, 1)}%` : `${generalDigits(100 * x, 2)}%`;
}

/** A count with its noun: "1 step", "3 steps". */
function counted(count, noun) {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ',')} ${noun}${count === 1 ? '' : 's'}`;
}
