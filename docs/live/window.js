// Chapter 2: drag the window, and see what the network says about the pixel in its middle.

var live = window.live || {};

live.window = async function (figure) {
  const kit = live.kit();
  const { run } = live.engine();
  const { colour } = live.photo();
  const chapter = live.chapters["02_sliding_window"];
  const { names, values, window: side } = chapter;
  const [images, masks] = [kit.array(chapter.images), kit.array(chapter.masks)];
  const [count, height, width] = images.shape;
  const model = await kit.readModel(chapter.model);
  const colours = values.map(colour);
  const radius = side >> 1;
  const state = { image: 0, row: 0, column: 0, map: null };

  // ------------------------------------------------------------------------------ the network

  function classify(row, column) {
    const [answer] = run(model, kit.cut(kit.item(images, state.image), side, row, column));
    const { data } = answer; // a probability for each class
    state.map[row * width + column] = data.indexOf(Math.max(...data));
    return data;
  }

  // ---------------------------------------------------------------------- what the reader sees

  const EMPTY = 255; // in the map: not classified yet
  const photo = kit.picture("The image. Drag the window.", { height, width, point: show });
  const seen = kit.picture("What the network sees", {
    height: side,
    width: side,
    label: "The window, enlarged; its middle pixel has a frame",
  });
  const map = kit.picture("The label map so far", { height, width });
  const bars = kit.bars(names, colours);
  const status = kit.status();
  const rows = kit.slider("row", { min: 0, max: height - 1, value: 0, change: (r) => show(r, state.column) });
  const columns = kit.slider("column", {
    min: 0,
    max: width - 1,
    value: 0,
    change: (c) => show(state.row, c),
  });

  function show(row, column) {
    Object.assign(state, { row, column });
    const probabilities = classify(row, column);
    const { data } = kit.cut(kit.item(images, state.image), side, row, column);
    seen.draw((i) => data.subarray(3 * i, 3 * i + 3));
    seen.frame([radius, radius, 1, 1]);
    photo.frame([row - radius, column - radius, side, side], [row, column, 1, 1]);
    drawMap();
    bars.set(probabilities);
    rows.set(row);
    columns.set(column);
    photo.box.moveTo(row, column);
    const best = state.map[row * width + column];
    const truth = kit.item(masks, state.image).data[row * width + column];
    const right = names[truth] ?? "void";
    status.textContent =
      `Row ${row}, column ${column}: the network says ${names[best]}, ` +
      `${(100 * probabilities[best]).toFixed(0)} %. The mask says ${right}.`;
  }

  function drawMap() {
    map.draw((i) => (state.map[i] === EMPTY ? [150, 150, 150] : colours[state.map[i]]));
  }

  function choose(image) {
    const { data } = kit.item(images, image);
    if (row < height) row = 0; // under way: start again, with this image
    Object.assign(state, { image, map: new Uint8Array(height * width).fill(EMPTY) });
    photo.draw((i) => data.subarray(3 * i, 3 * i + 3));
    show(...chapter.starts[image]);
  }

  // Fills the map row by row, so that the reader sees it grow.
  let row = height;
  function fill() {
    if (row >= height) return;
    do {
      for (let column = 0; column < width; column++) classify(row, column);
      row += 1;
    } while (kit.still() && row < height);
    drawMap();
    if (row < height) requestAnimationFrame(fill);
    else status.textContent = `${height * width} windows, ${height * width} answers: the label map.`;
  }

  const start = kit.button("Classify every window", () => {
    const running = row < height;
    row = 0;
    if (!running) fill();
  });

  kit.mount(
    figure,
    kit.choice("Image", Array.from({ length: count }, (_, i) => `${i + 1}`), choose),
    kit.row(photo, seen, map),
    kit.element("div", { className: "live-controls" }, rows, columns, start),
    bars,
    status,
    kit.fastNote(chapter),
  );
  choose(0);
};
