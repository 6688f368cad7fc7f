// A camera says which part of the graph is seen: a point of the graph at (x, y) is drawn at (x·scale + left, y·scale + top).

const CLOSEST = 4,
  ZOOM_STEP = 1.25,
  WHEEL = 0.0016;
const COMFORTABLE = 0.8; // the scale below which a graph is rather seen in part
const MARGIN = 28;
const GLIDE = 220; // milliseconds

class Camera {
  /** `element` is what is seen through; `onmove` is called after each move. */
  constructor(element, onmove) {
    Object.assign(this, {
      element,
      onmove,
      left: 0,
      top: 0,
      scale: 1,
      width: 1,
      height: 1,
      bounds: {width: 1, height: 1},
      isTouched: false,
    });
    this.pointers = new Map();
    element.addEventListener('wheel', e => this.wheel(e), {passive: false});
    element.addEventListener('pointerdown', e => this.press(e));
    element.addEventListener('pointermove', e => this.drag(e));
    for (const kind of ['pointerup', 'pointercancel']) element.addEventListener(kind, e => this.pointers.delete(e.pointerId));
    new ResizeObserver(() => this.resize()).observe(element);
    this.measure();
  }

  measure() {
    const {width, height} = this.element.getBoundingClientRect();
    Object.assign(this, {width: width || 1, height: height || 1});
  }

  resize() {
    const {width, height, left, top} = this;
    this.measure();
    if (this.width === width && this.height === height) return;
    if (this.isTouched) this.moveTo({left: left + (this.width - width) / 2, top: top + (this.height - height) / 2});
    else this.home();
  }

  get furthest() {
    return Math.min(0.5, 0.5 * this.fitting());
  }

  /** The scale at which all is seen. */
  fitting() {
    return Math.min((this.width - 2 * MARGIN) / this.bounds.width, (this.height - 2 * MARGIN) / this.bounds.height);
  }

  /** Move there so that the eye can follow, if it wants to. */
  glideTo(target) {
    cancelAnimationFrame(this.gliding);
    if (window.matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.moveTo(target);
      return;
    }
    const {left, top, scale} = this,
      began = performance.now();
    const onward = now => {
      const t = Math.min(1, Math.max(0, (now - began) / GLIDE)),
        part = t * t * (3 - 2 * t),
        between = (a, b) => a + (b - a) * part;
      this.moveTo({left: between(left, target.left), top: between(top, target.top), scale: between(scale, target.scale)});
      this.gliding = t < 1 ? requestAnimationFrame(onward) : null;
    };
    this.gliding = requestAnimationFrame(onward);
  }

  moveTo({left = this.left, top = this.top, scale = this.scale}) {
    this.scale = Math.min(CLOSEST, Math.max(this.furthest, scale));
    const hold = (at, size, room) => Math.min(room - 60, Math.max(60 - size * this.scale, at)); // something stays in sight
    this.left = hold(left, this.bounds.width, this.width);
    this.top = hold(top, this.bounds.height, this.height);
    this.onmove();
  }

  /** All of the graph. */
  fit() {
    const scale = Math.min(1.25, this.fitting());
    this.isTouched = false;
    cancelAnimationFrame(this.gliding);
    this.moveTo({scale, left: (this.width - this.bounds.width * scale) / 2, top: (this.height - this.bounds.height * scale) / 2});
  }

  /** Where to begin: all of the graph where it can be read, else the loss with what is above it. */
  home() {
    this.fit();
    if (this.scale < COMFORTABLE && this.bounds.target) {
      const {left, top, width, height} = this.bounds.target,
        scale = COMFORTABLE;
      const across = this.bounds.width * scale < this.width - 2 * MARGIN ? this.bounds.width / 2 : left + width / 2;
      const bottom = this.height - (top + height) * scale - 2 * MARGIN;
      this.moveTo({
        scale,
        left: this.width / 2 - across * scale,
        top: this.bounds.height * scale < this.height - 2 * MARGIN ? this.top : bottom,
      });
    }
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    cancelAnimationFrame(this.gliding);
    const scale = Math.min(CLOSEST, Math.max(this.furthest, this.scale * factor)),
      by = scale / this.scale;
    this.isTouched = true;
    this.moveTo({scale, left: x - (x - this.left) * by, top: y - (y - this.top) * by});
  }

  pan(dx, dy) {
    cancelAnimationFrame(this.gliding);
    this.isTouched = true;
    this.moveTo({left: this.left + dx, top: this.top + dy});
  }

  /** Bring a box into sight, with some room around it, and no more than that. */
  reveal(box, closeness = this.scale) {
    const scale = Math.max(this.scale, closeness),
      by = scale / this.scale;
    let left = this.width / 2 - (this.width / 2 - this.left) * by,
      top = this.height / 2 - (this.height / 2 - this.top) * by;
    const into = (at, size, start, room) => {
      const from = start * scale + at,
        to = (start + size) * scale + at,
        free = Math.min(70, Math.max(8, (room - size * scale) / 2));
      return from < free ? at + free - from : to > room - free ? at + Math.max(room - free - to, free - from) : at;
    };
    left = into(left, box.width, box.left, this.width);
    top = into(top, box.height, box.top, this.height);
    if (left !== this.left || top !== this.top || scale !== this.scale) this.glideTo({left, top, scale});
  }

  wheel(event) {
    event.preventDefault();
    const {left, top} = this.element.getBoundingClientRect(),
      lines = event.deltaMode === 1 ? 24 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * WHEEL * (event.ctrlKey ? 6 : 1)), event.clientX - left, event.clientY - top);
  }

  press(event) {
    if (event.button > 0) return;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.dragged = 0;
  }

  /** One pointer moves the graph, two also zoom. */
  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [x, y] = [event.clientX, event.clientY];
    this.dragged += Math.hypot(x - before[0], y - before[1]);
    if (this.dragged < 4) return;
    this.element.setPointerCapture?.(event.pointerId);
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    this.pointers.set(event.pointerId, [x, y]);
    if (!others.length) {
      this.pan(x - before[0], y - before[1]);
    } else {
      const [, [ox, oy]] = others[0],
        box = this.element.getBoundingClientRect();
      this.zoom(
        Math.hypot(x - ox, y - oy) / (Math.hypot(before[0] - ox, before[1] - oy) || 1),
        (x + ox) / 2 - box.left,
        (y + oy) / 2 - box.top,
      );
    }
  }

  /** Whether the last press was a drag, so that it is no click. */
  get wasDragged() {
    return this.dragged >= 4;
  }

  /** What is seen, in the graph's own places, with `more` of its size around. */
  window(more = 0) {
    const {scale} = this,
      width = this.width / scale,
      height = this.height / scale;
    const left = -this.left / scale - more * width,
      top = -this.top / scale - more * height;
    return {left, top, right: left + width * (1 + 2 * more), bottom: top + height * (1 + 2 * more)};
  }
}
