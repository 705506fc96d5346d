// What the figures of the chapters share: the chapter's networks and images, and the things on the
// page that a reader touches. tutorials/live.py writes the file of a chapter.

var live = window.live || {};

live.kit = function () {
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const SVG = "http://www.w3.org/2000/svg";

  // ------------------------------------------------------------------- networks and images

  function bytes(base64) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  }

  // An array that a chapter wrote -> {shape, data}, data being a typed array.
  function array({ shape, type, base64 }) {
    const { buffer } = bytes(base64);
    const kinds = { uint8: Uint8Array, float32: Float32Array, int32: Int32Array };
    return { shape, data: new kinds[type](buffer) };
  }

  // The i-th of several images, masks or maps: {shape, data} without the first axis.
  function item({ shape: [, ...shape], data }, i) {
    const size = shape.reduce((product, side) => product * side, 1);
    return { shape, data: data.subarray(i * size, (i + 1) * size) };
  }

  // A network that a chapter wrote -> a model that the engine can run.
  function readModel({ keras }) {
    return live.kerasFile().readKeras(bytes(keras));
  }

  // An image (H, W, 3) of bytes as the engine takes it.
  function toMap({ shape, data }) {
    return { shape, data: Float32Array.from(data) };
  }

  // The window around a pixel of an image, as a map (side, side, 3). Beyond the border, the image is
  // reflected; the border pixel is the mirror.
  function cut({ shape: [height, width], data }, side, row, column) {
    const reflect = (i, n) => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
    const radius = side >> 1;
    const values = new Float32Array(side * side * 3);
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const from = reflect(row + y - radius, height) * width + reflect(column + x - radius, width);
        for (let c = 0; c < 3; c++) values[3 * (y * side + x) + c] = data[3 * from + c];
      }
    }
    return { shape: [side, side, 3], data: values };
  }

  // The likeliest class of each pixel of a map (H, W, C).
  function labelsOf({ shape: [height, width, channels], data }) {
    const labels = new Uint8Array(height * width);
    for (let i = 0; i < labels.length; i++) {
      let best = 0;
      for (let c = 1; c < channels; c++) {
        if (data[i * channels + c] > data[i * channels + best]) best = c;
      }
      labels[i] = best;
    }
    return labels;
  }

  // ------------------------------------------------------------------------- on the page

  function element(tag, properties = {}, ...children) {
    const { attributes = {}, ...rest } = properties;
    const made = Object.assign(document.createElement(tag), rest);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // Puts the figure's panel in the place of its still picture; the caption stays.
  function mount(figure, ...children) {
    const panel = element("div", { className: "live-panel" }, ...children);
    figure.querySelector("img")?.closest("p, picture, img").replaceWith(panel);
    if (!panel.isConnected) figure.prepend(panel);
    figure.classList.add("live-ready");
    return panel;
  }

  // A line of text that screen readers read out when it changes.
  function status() {
    return element("p", { className: "live-status", attributes: { role: "status" } });
  }

  // A slider with its name and its value. `change` gets each new number.
  //   text: how a number is written, such as (n) => `${n} %`.
  function slider(name, { min, max, step = 1, value, text = String, change }) {
    const input = element("input", { type: "range", min, max, step });
    const shown = element("span", { className: "live-value" });
    input.value = value;
    const show = () => {
      shown.textContent = text(Number(input.value));
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    input.addEventListener("input", () => {
      show();
      change(Number(input.value));
    });
    show();
    const label = element("label", { className: "live-slider" }, `${name} `, shown, input);
    return Object.assign(label, {
      set: (number) => {
        input.value = number;
        show();
      },
    });
  }

  let groups = 0;

  // One of several: radio buttons. `change` gets the number of the chosen one.
  function choice(name, options, change, chosen = 0) {
    const group = `live-choice-${(groups += 1)}-${Math.random().toString(36).slice(2)}`;
    const buttons = options.map((option, i) => {
      const input = element("input", { type: "radio", name: group, checked: i === chosen });
      input.addEventListener("change", () => change(i));
      return element("label", {}, input, ` ${option}`);
    });
    const legend = element("legend", { textContent: name });
    return element("fieldset", { className: "live-choice" }, legend, ...buttons);
  }

  // A box to tick. `change` gets true or false.
  function tick(name, change, checked = false) {
    const input = element("input", { type: "checkbox", checked });
    input.addEventListener("change", () => change(input.checked));
    return element("label", { className: "live-tick" }, input, ` ${name}`);
  }

  function button(name, press) {
    const made = element("button", { type: "button", textContent: name });
    made.addEventListener("click", press);
    return made;
  }

  // ------------------------------------------------------------------------------ pictures

  // A picture of height x width pixels, enlarged, with a title below.
  //   label: what a screen reader says that it is.
  //   point: called as point(row, column, pressed) when the reader points at a pixel with mouse,
  //     finger or arrow keys; `pressed` is true while the button or finger is down, and with Enter
  //     or Space. Without `point`, it is only looked at.
  // It has draw(colour), where colour(i) is the [red, green, blue] of pixel i, and frame(...), which
  // draws lines over the pixels.
  function picture(title, { height, width, label = title, point = null }) {
    const canvas = element("canvas", { height, width });
    const over = document.createElementNS(SVG, "svg");
    over.setAttribute("viewBox", `0 0 ${width} ${height}`);
    over.setAttribute("aria-hidden", "true");
    const box = element("div", { className: "live-picture" }, canvas, over);
    box.style.aspectRatio = `${width} / ${height}`;
    box.setAttribute("role", point ? "application" : "img");
    box.setAttribute("aria-label", point ? `${label}. Arrow keys move, Enter chooses.` : label);
    if (point) makePointable(box, height, width, point);
    const whole = element("figure", {}, box, element("figcaption", { textContent: title }));

    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    pixels.data.fill(255);
    return Object.assign(whole, {
      canvas,
      box,
      draw: (colour) => {
        for (let i = 0; i < height * width; i++) pixels.data.set(colour(i), 4 * i);
        context.putImageData(pixels, 0, 0);
      },
      // Rectangles [row, column, height, width], in pixels; a white line with a black edge.
      frame: (...rectangles) => {
        over.replaceChildren(
          ...rectangles.flatMap(([y, x, h, w]) =>
            ["live-edge", "live-line"].map((name) => {
              const rectangle = document.createElementNS(SVG, "rect");
              const attributes = { x, y, height: h, width: w, class: name };
              for (const [key, value] of Object.entries(attributes)) {
                rectangle.setAttribute(key, value);
              }
              return rectangle;
            }),
          ),
        );
      },
      setTitle: (text) => (whole.lastChild.textContent = text),
    });
  }

  function makePointable(box, height, width, point) {
    let at = [height >> 1, width >> 1];
    const clamp = (value, side) => Math.min(Math.max(Math.floor(value), 0), side - 1);
    const move = (row, column, pressed) => {
      at = [clamp(row, height), clamp(column, width)];
      point(...at, pressed);
    };
    const onPointer = (event) => {
      if (!event.isPrimary) return; // a second finger
      const { left, top, width: w, height: h } = box.getBoundingClientRect();
      const [x, y] = [(event.clientX - left) / w, (event.clientY - top) / h];
      move(y * height, x * width, box.hasPointerCapture(event.pointerId));
    };
    box.tabIndex = 0;
    box.classList.add("live-pointable");
    box.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      box.setPointerCapture(event.pointerId); // a drag may leave the picture
      onPointer(event);
    });
    box.addEventListener("pointermove", onPointer);
    box.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
      const arrow = ARROWS[event.key];
      const press = event.key === "Enter" || event.key === " ";
      if (!arrow && !press) return;
      event.preventDefault();
      const [dy, dx] = arrow ?? [0, 0];
      const step = event.shiftKey ? 5 : 1;
      move(at[0] + dy * step, at[1] + dx * step, press);
    });
    box.moveTo = (row, column) => (at = [row, column]); // where the arrow keys start from
  }

  // Pictures side by side, as many as fit.
  function row(...pictures) {
    return element("div", { className: "live-pictures" }, ...pictures);
  }

  // The names of the classes with their colours.
  function legend(names, colours) {
    const items = names.map((name, i) => {
      const swatch = element("span", { className: "live-swatch" });
      swatch.style.background = `rgb(${colours[i]})`;
      return element("li", {}, swatch, name);
    });
    return element("ul", { className: "live-legend" }, ...items);
  }

  // A bar for each class, with its number: the probabilities of one pixel.
  function bars(names, colours) {
    const rows = names.map((name, i) => {
      const bar = element("span", { className: "live-bar" });
      bar.style.background = `rgb(${colours[i]})`;
      const value = element("td", { className: "live-number" });
      const track = element("td", { className: "live-track" }, bar);
      const head = element("th", { scope: "row", textContent: name });
      return { whole: element("tr", {}, head, track, value), bar, value };
    });
    const table = element("table", { className: "live-bars" }, ...rows.map(({ whole }) => whole));
    return Object.assign(table, {
      set: (values, text = (p) => `${(100 * p).toFixed(1)} %`) => {
        rows.forEach(({ bar, value }, i) => {
          bar.style.width = `${100 * (values[i] || 0)}%`; // a score can be NaN
          value.textContent = text(values[i], i);
          value.dataset.value = values[i];
        });
      },
    });
  }

  // Whether the reader asked for less movement: then go to the end instead of animating.
  function still() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  // Says below the figure that its network was trained for less time than the text assumes.
  function fastNote({ fast }) {
    if (!fast) return "";
    const text = "Built in the fast mode: this network was trained only briefly.";
    return element("p", { className: "live-hint", textContent: text });
  }

  return {
    array,
    bars,
    button,
    bytes,
    choice,
    cut,
    element,
    fastNote,
    item,
    labelsOf,
    legend,
    mount,
    picture,
    readModel,
    row,
    slider,
    status,
    still,
    tick,
    toMap,
  };
};
