// Chapter 3: paint over the image, and see which answers depend on it; then let the window by
// window and the one pass race.

var live = window.live || {};

live.field = async function (figure) {
  const kit = live.kit();
  const { run, toDense } = live.engine();
  const { colour } = live.photo();
  const chapter = live.chapters["03_one_pass"];
  const { names, values, window: side, pin } = chapter;
  const original = kit.array(chapter.image);
  const [height, width] = original.shape;
  const colours = values.map(colour);
  const radius = side >> 1;
  const classifier = await kit.readModel(chapter.model); // of one window
  const dense = toDense(classifier); // of all pixels, with the same weights

  const PAINT = [213, 94, 0]; // red, green, blue
  const BRUSH = 1; // pixels on each side of the middle one
  const image = { shape: original.shape, data: original.data.slice() }; // with the paint on it
  const painted = new Uint8Array(height * width);
  let brush = []; // its frame, once the reader points at the image
  let report = ""; // what the last stroke, or the last race, showed
  let race = 0; // the number of the last race; paint stops it

  // ------------------------------------------------------------------------------ the network

  // All answers in one pass: a probability for each pixel and class.
  function onePass() {
    const start = performance.now();
    const [{ data }] = run(dense, kit.toMap(image));
    return { answers: data, time: performance.now() - start };
  }

  // The same for one row of pixels, each from a window of its own.
  function oneRow(row, answers) {
    const start = performance.now();
    for (let column = 0; column < width; column++) {
      const [{ data }] = run(classifier, kit.cut(image, side, row, column));
      answers.set(data, (row * width + column) * names.length);
    }
    return performance.now() - start;
  }

  const ofPin = (answers) => {
    const first = (pin[0] * width + pin[1]) * names.length;
    return answers.slice(first, first + names.length);
  };
  const before = ofPin(onePass().answers);

  // ---------------------------------------------------------------------- what the reader sees

  const size = { height, width };
  const photo = kit.picture("The image. Paint over it.", { ...size, point });
  const pass = kit.picture("", { ...size, label: "The label map, in one pass" });
  const slide = kit.picture("", { ...size, label: "The label map, window by window" });
  const bars = kit.bars(names, colours);
  const status = kit.status();

  function drawMap(picture, name, answers, rows, time) {
    const labels = kit.labelsOf({ shape: [height, width, names.length], data: answers });
    picture.draw((i) => (i < rows * width ? colours[labels[i]] : [150, 150, 150]));
    picture.setTitle(rows ? `${name}: ${time.toFixed(time < 100 ? 1 : 0)} ms` : name);
    picture.canvas.answers = answers; // unrounded, for the console and the test
  }

  // No rounding here: a change of exactly 0 is the point.
  const inWords = (number) => (number ? number.toPrecision(2) : "exactly 0");

  function drawPhoto() {
    photo.draw((i) => image.data.subarray(3 * i, 3 * i + 3));
    photo.frame([pin[0] - radius, pin[1] - radius, side, side], [...pin, 1, 1], ...brush);
  }

  const inLargeFrame = (row, column) =>
    Math.max(Math.abs(row - pin[0]), Math.abs(column - pin[1])) <= radius;

  // After each stroke: the one pass again. What the windows said is no longer about this image.
  function answer() {
    race += 1;
    const { answers, time } = onePass();
    drawPhoto();
    drawMap(pass, "One pass", answers, height, time);
    drawMap(slide, "Window by window", new Float32Array(answers.length), 0, 0);
    const now = ofPin(answers);
    const percent = (p) => (100 * p).toFixed(1);
    bars.set(now, (p, i) => `${percent(p)} %, was ${percent(before[i])}`);

    const change = Math.max(...now.map((p, i) => Math.abs(p - before[i])));
    const inside = painted.filter(
      (is, i) => is && inLargeFrame(Math.floor(i / width), i % width),
    ).length;
    const total = painted.filter((is) => is).length;
    report = total
      ? `${total} pixels are painted, ${inside} of them in the large frame. The largest change ` +
        `of the pinned pixel's probabilities is ${inWords(change)}.`
      : `The small frame is the pinned pixel: row ${pin[0]}, column ${pin[1]}. The large frame is ` +
        `its receptive field.`;
    status.textContent = report;
  }

  function point(row, column, pressed) {
    brush = [[row - BRUSH, column - BRUSH, 2 * BRUSH + 1, 2 * BRUSH + 1]];
    if (!pressed) {
      drawPhoto();
      const where = inLargeFrame(row, column) ? "inside" : "outside";
      status.textContent = `Row ${row}, column ${column}, ${where} the large frame. ${report}`;
      return;
    }
    for (let y = Math.max(row - BRUSH, 0); y <= Math.min(row + BRUSH, height - 1); y++) {
      for (let x = Math.max(column - BRUSH, 0); x <= Math.min(column + BRUSH, width - 1); x++) {
        image.data.set(PAINT, 3 * (y * width + x));
        painted[y * width + x] = 1;
      }
    }
    answer();
  }

  function wipe() {
    image.data.set(original.data);
    painted.fill(0);
    answer();
  }

  // Row by row, so that the reader sees the map grow. The clock does not run while the page draws.
  function startRace() {
    const number = (race += 1);
    const { answers, time } = onePass();
    drawMap(pass, "One pass", answers, height, time);
    const slow = new Float32Array(answers.length);
    let [row, total] = [0, 0];
    const step = () => {
      if (number !== race) return; // paint, or the next race
      do {
        total += oneRow(row, slow);
        row += 1;
      } while (kit.still() && row < height);
      drawMap(slide, "Window by window", slow, row, total);
      if (row < height) return requestAnimationFrame(step);
      const difference = Math.max(...slow.map((p, i) => Math.abs(p - answers[i])));
      report =
        `One pass took ${time.toFixed(1)} ms, ${height * width} windows took ` +
        `${total.toFixed(0)} ms. The largest difference of a probability is ` +
        `${inWords(difference)}.`;
      status.textContent = report;
    };
    step();
  }

  kit.mount(
    figure,
    kit.row(photo, pass, slide),
    bars,
    kit.element(
      "div",
      { className: "live-controls" },
      kit.button("Wipe off the paint", wipe),
      kit.button("Start the race", startRace),
    ),
    status,
    kit.fastNote(chapter),
  );
  photo.box.moveTo(...pin);
  for (const map of [pass, slide]) map.frame([...pin, 1, 1]);
  answer();
};
