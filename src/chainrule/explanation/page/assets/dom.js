// An element is made by its name, attributes and children; children that are strings become text, never markup.

const SVG = 'http://www.w3.org/2000/svg';

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

function html(tag, attributes = {}, ...children) {
  return made(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return made(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

/** A button that says what it does; `shown` is what it looks like. */
function button(label, shown, onclick, attributes = {}) {
  return html('button', {type: 'button', 'aria-label': label, title: label, onclick, ...attributes}, shown);
}

/** Tokens as spans; a number says in its title which it is exactly, and can be pointed at. */
function spans(tokens) {
  return tokens.map(t =>
    t.ref || t.exact
      ? html(
          'span',
          {class: t.exact ? 'number' : null, 'data-ref': t.ref, title: t.exact, tabindex: t.ref && t.exact ? 0 : null},
          t.text,
        )
      : t.text,
  );
}

const MEASURED = new Map();
let ruler = null;

/** The width of a text in pixels; a monospaced font needs to be measured only once. */
function textWidth(text, font) {
  ruler ??= document.createElement('canvas').getContext('2d');
  let cell = MEASURED.get(font);
  if (cell === undefined) {
    ruler.font = font;
    const [narrow, wide] = ['iiiiiiiiii', 'MMMMMMMMMM'].map(s => ruler.measureText(s).width / 10);
    MEASURED.set(font, (cell = Math.abs(narrow - wide) < 0.01 ? wide : null));
  }
  if (cell !== null && /^[\x20-\x7e]*$/.test(text)) return cell * text.length;
  ruler.font = font;
  return ruler.measureText(text).width;
}
