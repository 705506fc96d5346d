// Chapter 6: click a few pixels, and a logistic regression learns from them on three kinds of
// features. It is judged on this image, and on three that it has never seen.

var live = window.live || {};

live.clicks = async function (figure) {
  const kit = live.kit();
  const { run } = live.engine();
  const { colour } = live.photo();
  const chapter = live.chapters["06_transfer"];
  const { names, values, rounds } = chapter;
  const [images, masks] = [kit.array(chapter.images), kit.array(chapter.masks)];
  const [count, height, width] = images.shape; // the first image is for clicking
  const networks = [await kit.readModel(chapter.random), await kit.readModel(chapter.pretrained)];
  const truths = Array.from({ length: count }, (_, i) => kit.item(masks, i).data);
  const KINDS = ["colour", "random encoder", "pretrained encoder"];
  const START = 3; // clicks of each class, at the beginning
  const state = { kind: 2, clicks: [], round: 0, labels: [], at: [height >> 1, width >> 1] };

  // ------------------------------------------------------------------------------- features

  // For each kind, the features of each image's pixels: maps (H, W, C).
  const features = [null, ...networks].map((network) => {
    const maps = truths.map((_, i) => {
      const image = kit.toMap(kit.item(images, i));
      return network ? run(network, image)[0] : image;
    });
    standardise(maps);
    return maps;
  });

  // On the first image, each feature gets mean 0 and variance 1. The others follow.
  function standardise(maps) {
    const [{ data: first, shape }] = maps;
    const channels = shape[2];
    const pixels = height * width;
    for (let c = 0; c < channels; c++) {
      let [mean, variance] = [0, 0];
      for (let i = c; i < first.length; i += channels) mean += first[i] / pixels;
      for (let i = c; i < first.length; i += channels) variance += (first[i] - mean) ** 2 / pixels;
      const scale = variance > 1e-12 ? Math.sqrt(variance) : 1; // some features are constant
      for (const { data } of maps) {
        for (let i = c; i < data.length; i += channels) data[i] = (data[i] - mean) / scale;
      }
    }
  }

  // --------------------------------------------------------------------- logistic regression

  // For each class, the sum of its weights times the features of a pixel. The last weight, the
  // bias, is added as it is.
  function logits(weights, { shape: [, , channels], data }, pixel) {
    const start = pixel * channels;
    return weights.map((row) => {
      let sum = row[channels];
      for (let c = 0; c < channels; c++) sum += row[c] * data[start + c];
      return sum;
    });
  }

  function softmax(z) {
    const largest = Math.max(...z);
    const powers = z.map((value) => Math.exp(value - largest));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  }

  // The weights with the smallest loss: the sum of the clicks' cross-entropies, plus half the sum
  // of the squared weights. Found by gradient descent with Nesterov's momentum.
  //   known: the classes that have a click. Each gets a row of weights.
  function fit(map, clicks, known) {
    const channels = map.shape[2];
    const zeros = () => known.map(() => new Float64Array(channels + 1));
    // The loss is nowhere more curved than this, so a step of 1 / curvature can't overshoot.
    let curvature = 1;
    for (const { pixel } of clicks) {
      const x = map.data.subarray(pixel * channels, (pixel + 1) * channels);
      curvature += x.reduce((sum, value) => sum + value * value, 1) / 2;
    }
    const momentum = (Math.sqrt(curvature) - 1) / (Math.sqrt(curvature) + 1);
    const [weights, ahead, slope] = [zeros(), zeros(), zeros()];
    let steepest = Infinity;
    for (let step = 0; step < 2000 && steepest > 1e-4; step++) {
      slope.forEach((row, k) => row.set(ahead[k])); // of the squared weights
      for (const { pixel, y } of clicks) {
        const start = pixel * channels;
        softmax(logits(ahead, map, pixel)).forEach((p, k) => {
          const error = p - (known[k] === y); // the slope of the cross-entropy: p - y
          const row = slope[k];
          for (let c = 0; c < channels; c++) row[c] += error * map.data[start + c];
          row[channels] += error;
        });
      }
      steepest = 0;
      for (let k = 0; k < known.length; k++) {
        for (let c = 0; c <= channels; c++) {
          const next = ahead[k][c] - slope[k][c] / curvature;
          ahead[k][c] = next + momentum * (next - weights[k][c]);
          weights[k][c] = next;
          steepest = Math.max(steepest, Math.abs(slope[k][c]));
        }
      }
    }
    return weights;
  }

  // Learns from the clicks with one kind of features, and labels every image.
  function learn(maps) {
    const known = names.map((_, k) => k).filter((k) => state.clicks.some(({ y }) => y === k));
    if (!known.length) return null;
    const weights = fit(maps[0], state.clicks, known);
    return maps.map((map) =>
      truths[0].map((_, pixel) => {
        const z = logits(weights, map, pixel);
        return known[z.indexOf(Math.max(...z))];
      }),
    );
  }

  // Over several images: for each class the overlap over the union, and the mean of all.
  function meanIou(labels, truths) {
    const both = names.map(() => 0);
    const either = names.map(() => 0);
    labels.forEach((map, n) =>
      map.forEach((label, i) => {
        const truth = truths[n][i];
        if (truth >= names.length) return; // void
        either[truth] += 1;
        if (label === truth) both[truth] += 1;
        else either[label] += 1;
      }),
    );
    const present = names.map((_, k) => k).filter((k) => either[k]);
    return present.reduce((sum, k) => sum + both[k] / either[k], 0) / present.length;
  }

  // ---------------------------------------------------------------------- what the reader sees

  const colours = values.map(colour);
  const GREY = [150, 150, 150]; // a map without an answer
  const size = { height, width };
  const photos = truths.map((_, i) =>
    i ? kit.picture(`New image ${i}`, size) : kit.picture("Click here", { ...size, point }),
  );
  const maps = truths.map((_, i) =>
    kit.picture(i ? `Labels of image ${i}` : "Labels of this image", size),
  );
  const blue = [0, 114, 178];
  const [here, there] = ["this image", "the three new images"].map((where) => {
    const bars = kit.bars(KINDS, [blue, blue, blue]);
    bars.createCaption().textContent = `Mean IoU on ${where}`;
    return bars;
  });
  const status = kit.status();
  const more = kit.button("One more pixel of each class", () => {
    addRound();
    update();
  });
  const none = kit.button("Remove all", () => {
    Object.assign(state, { clicks: [], round: 0 });
    update();
  });

  function add(row, column) {
    const pixel = row * width + column;
    const y = truths[0][pixel];
    const old = state.clicks.some((click) => click.pixel === pixel);
    if (y < names.length && !old) state.clicks.push({ pixel, y });
  }

  function addRound() {
    for (const [row, column] of rounds[state.round] ?? []) add(row, column);
    state.round += 1;
  }

  // One press is one click, also if the pointer then moves on.
  let down = false;
  function point(row, column, pressed) {
    state.at = [row, column];
    if (pressed && !down) {
      add(row, column);
      update();
    }
    down = pressed;
    frame();
    const name = names[truths[0][row * width + column]];
    if (pressed) say(`Row ${row}, column ${column} is ${name ?? "void, so it teaches nothing"}.`);
    else status.textContent = `Row ${row}, column ${column}.`;
  }
  for (const end of ["lostpointercapture", "keyup"]) {
    photos[0].box.addEventListener(end, () => (down = false));
  }

  function frame() {
    const [row, column] = state.at;
    const clicked = state.clicks.map(({ pixel }) => [Math.floor(pixel / width), pixel % width]);
    photos[0].frame(...[...clicked, [row, column]].map(([y, x]) => [y, x, 1, 1]));
  }

  function say(before = "") {
    const { kind, labels } = state;
    const scores = labels[kind]
      ? ` With the features "${KINDS[kind]}", the mean IoU is ${here.scores[kind].toFixed(2)} ` +
        `on this image and ${there.scores[kind].toFixed(2)} on the new ones.`
      : "";
    status.textContent = `${before} ${state.clicks.length} pixels are clicked.${scores}`.trim();
  }

  // Learns from the present clicks, with each kind of features.
  function update() {
    state.labels = features.map(learn);
    const judge = (part) =>
      state.labels.map((labels) => (labels ? meanIou(part(labels), part(truths)) : NaN));
    here.scores = judge((all) => all.slice(0, 1));
    there.scores = judge((all) => all.slice(1));
    const text = (value) => (isNaN(value) ? "none" : value.toFixed(2));
    for (const bars of [here, there]) bars.set(bars.scores, text);
    more.disabled = state.round >= rounds.length;
    draw();
    say();
  }

  function draw() {
    const clicked = new Map(state.clicks.map(({ pixel, y }) => [pixel, colours[y]]));
    photos.forEach((photo, n) => {
      const { data } = kit.item(images, n);
      const own = (i) => data.subarray(3 * i, 3 * i + 3);
      photo.draw((i) => (n === 0 && clicked.get(i)) || own(i));
    });
    maps.forEach((map, n) => {
      const labels = state.labels[state.kind]?.[n];
      map.draw((i) => (labels ? colours[labels[i]] : GREY));
    });
    frame();
  }

  function choose(kind) {
    state.kind = kind;
    draw();
    say();
  }

  kit.mount(
    figure,
    kit.element("div", { className: "live-controls" }, more, none),
    kit.choice("Features", KINDS, choose, state.kind),
    kit.row(...photos.flatMap((photo, i) => [photo, maps[i]])),
    kit.legend(names, colours),
    kit.element("div", { className: "live-pair" }, here, there),
    status,
    kit.fastNote(chapter),
  );
  for (let round = 0; round < START; round++) addRound();
  update();
};
