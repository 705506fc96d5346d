// Chapter 1: resize a mask, and see the classes that bilinear interpolation invents.

var live = window.live || {};

live.resize = function (figure) {
  const kit = live.kit();
  const { colour } = live.photo();
  const chapter = live.chapters["01_pixels_and_masks"];
  const mask = kit.array(chapter.mask); // square, with void, as in the file
  const [side] = mask.shape;
  const [top, left] = chapter.corner; // where it was cut out of the file
  const VOID = 255;
  const RED = [255, 60, 0];

  // Careless code makes void background before it resizes.
  const careless = mask.data.map((index) => (index === VOID ? 0 : index));
  const known = new Set(careless);
  const middle = [side >> 1, side >> 1];
  const state = { size: Math.round((4 * side) / 3), kind: 1, resized: null, at: middle };

  // -------------------------------------------------------------------------------- resizing

  // Each new pixel copies the old pixel that its centre lies in.
  function nearest(size) {
    const from = (i) => Math.floor(((i + 0.5) * side) / size);
    return Uint8Array.from({ length: size * size }, (_, i) => {
      return careless[from(Math.floor(i / size)) * side + from(i % size)];
    });
  }

  // Each new pixel is a weighted mean of its four neighbours. OpenCV computes it with whole
  // numbers, because they are faster: weights are in steps of 1/2048, and the last bits of a sum
  // are dropped. We do the same, because otherwise about one pixel in a thousand would differ by 1.
  function bilinear(size) {
    const clamp = (i) => Math.min(Math.max(i, 0), side - 1);
    const lines = Array.from({ length: size }, (_, i) => {
      const place = Math.fround(((i + 0.5) * side) / size - 0.5);
      const first = Math.floor(place);
      const weight = Math.round((place - first) * 2048); // of the second neighbour
      return [clamp(first), clamp(first + 1), 2048 - weight, weight];
    });
    const resized = new Uint8Array(size * size);
    lines.forEach(([above, below, upper, lower], y) => {
      lines.forEach(([before, after, first, second], x) => {
        const mean = (row) =>
          careless[row * side + before] * first + careless[row * side + after] * second;
        const sum = ((upper * (mean(above) >> 4)) >> 16) + ((lower * (mean(below) >> 4)) >> 16);
        resized[y * size + x] = (sum + 2) >> 2;
      });
    });
    return resized;
  }

  // ------------------------------------------------------------------------ what the reader sees

  const nameOf = (index) => chapter.names[index] ?? (index === VOID ? "void" : "not a class");
  const original = kit.picture("The mask in the file", {
    height: side,
    width: side,
    label: "A part of the mask",
    point: pointAtOriginal,
  });
  const place = kit.element("div"); // for the resized mask, whose size changes
  const count = kit.status();
  const status = kit.status();

  function pointAtOriginal(row, column) {
    const index = mask.data[row * side + column];
    state.at = [row, column];
    original.frame([row, column, 1, 1]);
    status.textContent =
      `Row ${top + row}, column ${left + column}: the index is ${index}, ${nameOf(index)}. ` +
      `A viewer shows it in the colour (${colour(index).join(", ")}).`;
  }

  function pointAtResized(picture, row, column) {
    const index = state.resized[row * state.size + column];
    picture.frame([row, column, 1, 1]);
    const invented = known.has(index) ? "" : " No pixel of the mask has this class.";
    status.textContent =
      `Resized, row ${row}, column ${column}: the index is ${index}, ${nameOf(index)}.${invented}`;
  }

  function show() {
    const { size, kind } = state;
    state.resized = kind ? bilinear(size) : nearest(size);
    const picture = kit.picture("Resized, with void as background", {
      height: size,
      width: size,
      label: "The resized mask",
      point: (row, column) => pointAtResized(picture, row, column),
    });
    picture.draw((i) => (known.has(state.resized[i]) ? colour(state.resized[i]) : RED));
    place.replaceChildren(picture);
    const invented = state.resized.filter((index) => !known.has(index));
    const classes = [...new Set(invented)].sort((a, b) => a - b);
    count.textContent = classes.length
      ? `${invented.length} red pixels, of ${classes.length} classes that the mask doesn't have: ` +
        `${classes.map(nameOf).join(", ")}.`
      : "No new class: every pixel has a class of the mask.";
    pointAtOriginal(...state.at);
  }

  const sizes = kit.slider("New size", {
    min: side / 5,
    max: 2 * side,
    step: side / 30,
    value: state.size,
    text: (size) => `${size} pixels, factor ${(size / side).toFixed(2)}`,
    change: (size) => {
      state.size = size;
      show();
    },
  });
  const kinds = kit.choice(
    "Interpolation",
    ["nearest", "bilinear"],
    (kind) => {
      state.kind = kind;
      show();
    },
    state.kind,
  );

  kit.mount(
    figure,
    kit.element("div", { className: "live-controls" }, sizes, kinds),
    count,
    kit.row(original, place),
    status,
  );
  original.draw((i) => colour(mask.data[i]));
  show();
};
