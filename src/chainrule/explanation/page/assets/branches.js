// A branch is one of the contributions that meet in a value, side by side with the others.

/** Sizes, shares and angles as the document has them; for sums it does not have, made from the numbers. */
function branchesOf(wires, merge) {
  const facts = new Map((merge?.branches ?? []).map(b => [b.edge, b]));
  if (wires.every(w => w.edges.length === 1 && facts.has(w.edges[0].id))) {
    return wires
      .map(w => ({w, ...facts.get(w.edges[0].id)}))
      .map(b => ({...b, size: numberOf(b.size), share: numberOf(b.share)}));
  }
  const arrays = wires.map(w => w.contribution),
    whole = sumOf(arrays);
  if (!whole.data) return wires.map(w => ({w, size: w.size, share: NaN, angle: null, role: null}));
  const square = dot(whole.data, whole.data);
  return wires.map((w, k) => {
    const own = arrays[k].data,
      others = whole.data.map((x, i) => x - own[i]);
    return {w, size: w.size, share: square ? dot(own, whole.data) / square : NaN, angle: angleBetween(own, others), role: null};
  });
}

function dot(a, b) {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}

/** In degrees, by W. Kahan's formula, which is sharp for small angles too; null where one has no direction. */
function angleBetween(a, b) {
  const [m, n] = [a, b].map(x => Math.sqrt(dot(x, x)));
  if (!(m > 0 && n > 1e-12 * m)) return null;
  const difference = a.map((x, i) => x / m - b[i] / n),
    sum = a.map((x, i) => x / m + b[i] / n);
  return (2 * Math.atan2(Math.sqrt(dot(difference, difference)), Math.sqrt(dot(sum, sum))) * 180) / Math.PI;
}

/** How much of the sizes is lost in the sum. */
function cancelledOf(branches, wires, merge) {
  if (merge && wires.length === merge.branches.length) return numberOf(merge.cancelled);
  const together = branches.reduce((sum, b) => sum + b.size, 0),
    whole = normOf(sumOf(wires.map(w => w.contribution)));
  return together && whole !== null ? Math.max(0, 1 - whole / together) : NaN;
}

/** The contributions into a value, each with its size, its share as a bar with a sign, and its angle to the rest. */
function branchTable(app, node, box) {
  const wires = app.scene.arriving(node, box).filter(w => w.step <= app.step);
  const all = app.scene.arriving(node, box).length;
  if (all < 2 || !wires.length) return null;
  const isComplete = wires.length === all,
    merge = isComplete ? (app.graph.merges.get(node.id) ?? app.graph.merges.get(outputOwners(app.scene, node)[0])) : null;
  const branches = branchesOf(wires, merge),
    most = Math.max(...branches.map(b => Math.abs(b.share)).filter(Number.isFinite), 1);
  const hasRoles = branches.some(b => b.role),
    cancelled = cancelledOf(branches, wires, merge);
  const shown = branches.length > MOST_TERMS ? [...branches].sort((a, b) => b.size - a.size).slice(0, MOST_TERMS) : branches;
  const hasSizes = node.shape.length > 0; // that of a single number would repeat it
  const rows = shown.map(b => [
    itemLink(app, b.w.lower),
    ...(hasRoles ? [b.role ? html('span', {class: 'role'}, b.role) : ''] : []),
    html('span', {class: 'gradient'}, spans(referred(inlineTokens(b.w.contribution, 3), referenceTo('flow', b.w.key)))),
    ...(hasSizes ? [numberSpan(b.size)] : []),
    shareBar(b.share, most),
    b.angle === null
      ? '—'
      : html('span', {title: `${exactNumber(b.angle)}° to the sum of the others`}, `${Math.round(b.angle)}°`),
  ]);
  return [
    html('h3', {}, isComplete ? `What ${all} contributions add up to` : `${wires.length} of ${all} contributions so far`),
    table(
      ['from', ...(hasRoles ? ['role'] : []), 'contribution', ...(hasSizes ? ['size'] : []), 'share', 'angle'],
      rows,
      'branches',
    ),
    shown.length < branches.length
      ? html('p', {class: 'quiet'}, `${counted(branches.length - shown.length, 'smaller contribution')} not listed`)
      : null,
    Number.isNaN(cancelled) || wires.length < 2
      ? null
      : html(
          'p',
          {class: 'quiet'},
          cancelled > 0 ? `${plainPercent(cancelled)} of their sizes cancels in the sum.` : 'Nothing cancels in the sum.',
        ),
  ];
}

/** A bar from the middle: to the right for a share that helps, to the left for one against. */
function shareBar(share, most) {
  if (!Number.isFinite(share)) return '—';
  const width = (50 * Math.abs(share)) / most;
  return html(
    'span',
    {class: 'share', title: exactNumber(share)},
    html(
      'span',
      {class: 'bar', 'aria-hidden': 'true'},
      html('span', {class: share < 0 ? 'against' : 'with', style: `width: ${width}%; left: ${share < 0 ? 50 - width : 50}%`}),
    ),
    plainPercent(share),
  );
}
