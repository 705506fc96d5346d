// The playground: the reader's photograph and the reader's own model. Nothing leaves the page: the
// files are read here, and a worker made of this page's own source computes.

var live = window.live || {};

live.playground = function (figure) {
  const { colour } = live.photo();
  const SHOWN = 1200; // pixels; the longest side of a canvas
  const state = { photo: null, model: null, worker: null, address: null };
  const chosen = { photo: null, model: null }; // what was chosen last; it may still be read

  // ------------------------------------------------------------------------- what the reader sees

  const panel = element("div", { className: "live-panel" });
  panel.innerHTML = `
    <div class="live-files">
      <label>1. Your model <input type="file" accept=".keras" data-choose="model"></label>
      <label>2. Your photograph <input type="file" accept="image/*" data-choose="photo"></label>
      <button type="button" data-example hidden>Use the photograph below</button>
    </div>
    <p class="live-hint">Or drop both files anywhere in this frame. They are read in this page and
      never leave it: nothing is sent over the network.</p>
    <p role="status" data-status>Choose a model and a photograph.</p>
    <progress max="1" value="0" aria-label="Progress of the network" hidden></progress>
    <div data-result hidden>
      <div class="live-pictures"></div>
      <div class="live-shares">
        <table>
          <caption>What the photograph is made of, by the model's labels</caption>
          <thead><tr><th scope="col">class</th><th scope="col">share of the pixels</th></tr></thead>
          <tbody></tbody>
        </table>
      </div>
      <p data-absent></p>
    </div>`;
  const find = (selector) => panel.querySelector(selector);
  const progress = find("progress");
  const result = find("[data-result]");
  const still = figure.querySelector("img");

  const canvases = ["Label map", "Overlay", "Cut-out"].map((title) => {
    const picture = element("figure");
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    picture.append(canvas, element("figcaption", { textContent: title }));
    find(".live-pictures").append(picture);
    return canvas;
  });

  function element(tag, properties = {}) {
    return Object.assign(document.createElement(tag), properties);
  }

  function say(text, wrong = false) {
    find("[data-status]").textContent = text;
    find("[data-status]").classList.toggle("live-wrong", wrong);
  }

  // ------------------------------------------------------------------------------- the two files

  // A photograph as a canvas sees it, on white, turned upright: {name, height, width, data}.
  // Its pixels are taken as they are in the file, without the screen's colours.
  async function readPhoto(file) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(file, {
        colorSpaceConversion: "none",
        premultiplyAlpha: "none",
        imageOrientation: "from-image",
      });
    } catch {
      throw new Error("is not an image that this browser can decode");
    }
    const { width, height } = bitmap;
    const canvas = element("canvas", { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    let data = [];
    try {
      data = context.getImageData(0, 0, width, height).data;
    } catch {} // too large for this browser; Safari doesn't throw, its canvas stays empty
    canvas.width = canvas.height = 0; // gives the memory back
    if (data[3] !== 255) {
      throw new Error(`has ${width} x ${height} pixels, more than this browser can draw`);
    }
    return { height, width, data };
  }

  // The input of a kind names its file, also after a drop, and after a dialog that was cancelled.
  function showName(kind) {
    const list = new DataTransfer();
    if (chosen[kind] instanceof File) list.items.add(chosen[kind]);
    find(`[data-choose="${kind}"]`).files = list.files;
  }

  // -> whether the file could be read.
  async function choose(kind, file, name = file?.name) {
    if (!file) return false;
    stop(); // now, so that an old answer is never shown beside a new file
    state[kind] = null;
    chosen[kind] = file;
    showName(kind);
    say(`Reading ${name} ...`);
    let content;
    try {
      if (kind === "photo") content = await readPhoto(file);
      else content = { bytes: new Uint8Array(await file.arrayBuffer()) };
    } catch (error) {
      if (chosen[kind] === file) say(`${name}: ${error.message}.`, true);
      return false;
    }
    if (chosen[kind] !== file) return false; // another one was chosen meanwhile
    state[kind] = { name, ...content };
    compute();
    return true;
  }

  // Not every browser knows these endings as images, and none of them is a model's.
  const isPhoto = (file) => file.type.startsWith("image/") || /\.(hei[cf]|tiff?)$/i.test(file.name);

  // Files that were dropped: a model, a photograph, or one of each.
  async function take(files) {
    const [photos, models] = [files.filter(isPhoto), files.filter((file) => !isPhoto(file))];
    if (photos.length > 1 || models.length > 1) {
      const found = `${photos.length} photographs and ${models.length} other files`;
      say(`Found ${found}; expected one model and one photograph.`, true);
      return;
    }
    if (models.length && !(await choose("model", models[0]))) return; // its error stays in sight
    if (photos.length) await choose("photo", photos[0]);
  }

  // -------------------------------------------------------------------------------- the network

  function stop() {
    state.worker?.terminate();
    URL.revokeObjectURL(state.address);
    state.worker = null;
    progress.hidden = true;
    result.hidden = true;
  }

  // A new worker for each run: to choose another file is to stop the run before.
  function compute() {
    stop();
    const { model, photo } = state;
    if (!model) {
      say(`${photo.name} is here. Now choose a model: the best.keras that you trained.`);
      return;
    }
    say(`Reading ${model.name} ...`);
    progress.hidden = false;
    progress.value = 0;
    const parts = ["kerasFile", "engine", "photo"].map((name) => `live.${name} = ${live[name]};`);
    const source = `"use strict"; const live = {}; ${parts.join("\n")} (${work})();`;
    state.address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(state.address);
    state.worker = worker;
    worker.onmessage = ({ data: message }) => {
      if (message.progress !== undefined) {
        if (progress.value === 0) say(`${model.name} is looking at ${photo.name} ...`);
        progress.value = message.progress;
        return;
      }
      stop();
      if (message.error) say(`${model.name}: ${message.error}.`, true);
      else if (!photo) say(`${describe(model, message)} Now choose a photograph.`);
      else show(model, photo, message);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      stop();
      say(`${model.name}: cannot be run (${event.message}).`, true);
    };
    worker.postMessage({ bytes: model.bytes, photo });
  }

  // Runs in the worker, where `live` holds the parts above and nothing else of the page is known.
  function work() {
    const { readKeras } = live.kerasFile();
    const { run, toDense, allLayers, check } = live.engine();
    const { DEFAULT_SIZE, LARGEST_SIZE, letterbox, argmax } = live.photo();

    // A model that labels every pixel, and what it remembers of its classes.
    function prepare(model) {
      check(model);
      const last = model.layers.find(({ kind }) => kind === "ClassProbabilities");
      const { classes, members, image_size: size } = last?.config ?? {};
      const input = model.layers.find(({ kind }) => kind === "InputLayer");
      const sides = input?.config.batch_shape?.slice(1) ?? [];
      if (sides.length !== 3 || sides[2] !== 3 || model.outputs.length !== 1) {
        throw new Error("it does not label the pixels of an RGB image");
      }
      const windows = model.layers.some(({ kind }) => kind === "Flatten"); // a patch classifier
      const known = remembered(classes, members);
      if (windows) return { model: toDense(model), classes: known, size };
      const [height, width] = sides; // null where the model takes images of any size
      if (height !== width) throw new Error(`it takes images of ${height} x ${width} pixels only`);
      return { model, classes: known, size: height ?? size };
    }

    // The classes as a list of {name, value, members}, or null if the model knows none.
    function remembered(classes, members) {
      if (!classes) return null;
      const list = Object.entries(classes).map(([key, value]) => ({
        name: key.trim(),
        value,
        members: members?.[key] ?? [],
      }));
      const valid = ({ value, members }) =>
        Number.isInteger(value) && value >= 0 && value < 255 && Array.isArray(members);
      if (!list.every(valid)) throw new Error("what it remembers of its classes is damaged");
      return list;
    }

    async function answer({ bytes, photo }) {
      const { model, classes, size: trained } = prepare(await readKeras(bytes));
      if (!photo) return { classes, layers: allLayers(model).length };
      const size = trained ?? Math.min(DEFAULT_SIZE, Math.max(photo.height, photo.width));
      if (!(Number.isInteger(size) && size >= 1 && size <= LARGEST_SIZE)) {
        throw new Error(`it wants images of ${size} pixels, and a page can hold ${LARGEST_SIZE}`);
      }
      const total = allLayers(model).length;
      let done = 0;
      const start = performance.now();
      const [square] = run(model, letterbox(photo, size), () => {
        done += 1;
        postMessage({ progress: done / total });
      });
      if (!square.data.every(Number.isFinite)) throw new Error("it gives NaN or infinity");
      const seconds = (performance.now() - start) / 1000;
      const channels = square.shape[2];
      if (square.shape[0] !== size || square.shape[1] !== size || channels > 255) {
        throw new Error("it does not label the pixels of an RGB image");
      }
      if (classes && classes.length !== channels) {
        throw new Error(`it has ${channels} outputs and ${classes.length} names for them`);
      }
      return { labels: argmax(square, photo), channels, classes, size, seconds };
    }

    onmessage = async ({ data }) => {
      try {
        postMessage(await answer(data));
      } catch (error) {
        // What is not one of our own sentences comes from a file whose numbers make no sense.
        const ours = error.constructor === Error;
        postMessage({ error: ours ? error.message : `it is damaged (${error.message})` });
      }
    };
  }

  // ---------------------------------------------------------------------------------- the answer

  function describe(model, { classes, layers }) {
    const names = classes ? `It knows ${classes.map(({ name }) => name).join(", ")}.` : "";
    return `${model.name} is here, a network of ${layers} layers. ${names}`;
  }

  function show(model, photo, { labels, channels, classes, size, seconds }) {
    const unnamed = (_, i) => ({ name: `class ${i}`, value: i, members: [] });
    const known = classes ?? Array.from({ length: channels }, unnamed);
    const names = known.map(({ name }) => name);
    const colours = known.map(({ value }) => colour(value));
    const counts = new Array(channels).fill(0);
    for (const label of labels) counts[label] += 1;

    const percent = (count) => `${((100 * count) / labels.length).toFixed(1)} %`;
    const present = names.map((_, c) => c).filter((c) => counts[c] > 0);
    present.sort((a, b) => counts[b] - counts[a]);
    const rows = present.map((c) => {
      const row = element("tr");
      const name = element("th", { scope: "row", textContent: names[c] });
      const swatch = element("span", { className: "live-swatch" });
      swatch.style.background = `rgb(${colours[c]})`;
      name.prepend(swatch);
      const { members } = known[c];
      if (members.length > 1) name.append(` (${members.join(", ")})`);
      row.append(name, element("td", { textContent: percent(counts[c]) }));
      row.dataset.pixels = counts[c];
      return row;
    });
    find("tbody").replaceChildren(...rows);
    const absent = names.filter((_, c) => counts[c] === 0);
    find("[data-absent]").textContent = absent.length ? `Not found: ${absent.join(", ")}.` : "";

    draw(photo, labels, colours);
    const summary = present.map((c) => `${names[c]} ${percent(counts[c])}`).join(", ");
    const descriptions = [
      `Label map of ${photo.name}: ${summary}`,
      `The label map laid over ${photo.name}`,
      `${photo.name} without its background`,
    ];
    canvases.forEach((canvas, i) => canvas.setAttribute("aria-label", descriptions[i]));
    result.hidden = false;
    say(
      `${model.name} labelled ${photo.name}, seen at ${size} pixels, in ` +
        `${seconds.toFixed(1)} seconds: ${summary}.`,
    );
  }

  // Three pictures. A photograph of many megapixels is drawn smaller, every n-th pixel of it.
  function draw({ height, width, data }, labels, colours) {
    const scale = Math.min(1, SHOWN / Math.max(height, width));
    const [h, w] = [height, width].map((side) => Math.max(1, Math.round(side * scale)));
    const pictures = canvases.map((canvas) => {
      Object.assign(canvas, { width: w, height: h });
      canvas.style.maxWidth = `${(70 * w) / h}vh`; // an upright one fits on the screen
      return canvas.getContext("2d").createImageData(w, h);
    });
    const [map, overlay, cut] = pictures.map((picture) => picture.data);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const from = Math.floor((y * height) / h) * width + Math.floor((x * width) / w);
        const to = (y * w + x) * 4;
        const label = labels[from];
        for (let c = 0; c < 3; c++) {
          const value = data[4 * from + c];
          map[to + c] = colours[label][c];
          overlay[to + c] = label ? (value + colours[label][c]) / 2 : value;
          cut[to + c] = value;
        }
        map[to + 3] = overlay[to + 3] = 255;
        cut[to + 3] = label ? 255 : 0; // transparent where there is background
      }
    }
    canvases.forEach((canvas, i) => canvas.getContext("2d").putImageData(pictures[i], 0, 0));
  }

  // ------------------------------------------------------------------------------------- the frame

  for (const input of panel.querySelectorAll("input")) {
    input.addEventListener("click", () => (input.value = "")); // a new file of the same name counts
    input.addEventListener("cancel", () => showName(input.dataset.choose));
    input.addEventListener("change", () => choose(input.dataset.choose, input.files[0]));
  }
  figure.addEventListener("dragover", (event) => {
    event.preventDefault();
    figure.classList.add("live-over");
  });
  for (const kind of ["dragleave", "drop"]) {
    figure.addEventListener(kind, () => figure.classList.remove("live-over"));
  }
  figure.addEventListener("drop", (event) => {
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });

  // The page's own photograph. A page opened from a file may not read the pixels of a picture.
  const example = find("[data-example]");
  example.hidden = !still || location.protocol === "file:";
  example.addEventListener("click", async () => {
    await still.decode().catch(() => {}); // a picture that didn't load: `readPhoto` says so
    await choose("photo", still, "the example");
  });

  figure.classList.add("live-ready");
  figure.prepend(panel);
};
