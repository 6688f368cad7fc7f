// An icon is a small drawing on a button; the button's label says what it does.

const ICONS = {
  first: 'M3 3h2v10H3zM13.5 3v10L6.5 8z',
  back: 'M11.5 3v10L4.5 8z',
  play: 'M4 2.5L13 8l-9 5.5z',
  pause: 'M4 3h3v10H4zM9 3h3v10H9z',
  next: 'M4.5 3v10l7-5z',
  last: 'M11 3h2v10h-2zM2.5 3v10l7-5z',
  fit: 'M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  remove: 'M4 4l8 8M12 4l-8 8',
  theme: 'M8 2a6 6 0 1 0 0 12z M8 2a6 6 0 0 1 0 12',
  stop: 'M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5z',
  step: 'M3 8h8M8 4.5L11.5 8 8 11.5',
};
const LINES = new Set(['fit', 'remove', 'step', 'theme']);

function icon(name) {
  return svg(
    'svg',
    {class: `icon ${LINES.has(name) ? 'lines' : ''}`, viewBox: '0 0 16 16', 'aria-hidden': 'true'},
    svg('path', {d: ICONS[name]}),
  );
}
