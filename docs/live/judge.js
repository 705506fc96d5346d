// Chapter 8: paint an answer over a true mask, and watch the scores.

var live = window.live || {};

live.judge = function (figure) {
  const kit = live.kit();
  const chapter = live.chapters["08_judge_and_use"];
  const masks = kit.array(chapter.masks); // 0 background, 1 object, 255 void
  const [, height, width] = masks.shape;
  const VOID = 255;
  const RADIUS = 1; // the brush covers 3 x 3 pixels
  const state = { mask: null, painted: null, preset: null, brush: 1, last: null, scores: "" };

  // What a pixel can be.
  const KINDS = {
    TP: { text: "TP, found", colour: [0, 114, 178] },
    FP: { text: "FP, too much", colour: [213, 94, 0] },
    FN: { text: "FN, missed", colour: [230, 159, 0] },
    TN: { text: "TN, rightly left out", colour: [255, 255, 255] },
    void: { text: "void, not scored", colour: [204, 204, 204] },
    painted: { text: "void that you painted", colour: [150, 150, 150] },
  };

  function kindOf(i) {
    if (state.mask[i] === VOID) return state.painted[i] ? "painted" : "void";
    if (state.mask[i]) return state.painted[i] ? "TP" : "FN";
    return state.painted[i] ? "FP" : "TN";
  }

  // ------------------------------------------------------------------------------- the answers

  const isObject = (row, column) => state.mask[row * width + column] === 1;

  // The pixels [row, column] at most `radius` away, without those beyond the border.
  function around(row, column, radius) {
    const found = [];
    for (let y = Math.max(row - radius, 0); y <= Math.min(row + radius, height - 1); y++) {
      for (let x = Math.max(column - radius, 0); x <= Math.min(column + radius, width - 1); x++) {
        found.push([y, x]);
      }
    }
    return found;
  }

  // Each answer says of (row, column) whether it calls it object.
  const PRESETS = {
    Shifted: (row, column) => row > 1 && column > 1 && isObject(row - 2, column - 2),
    "Too wide": (row, column) => around(row, column, 2).some(([y, x]) => isObject(y, x)),
    Empty: () => false,
    Full: () => true,
  };

  function answer(preset) {
    state.preset = preset;
    state.painted = Uint8Array.from({ length: height * width }, (_, i) =>
      PRESETS[preset](Math.floor(i / width), i % width),
    );
    show();
  }

  // A fast hand skips pixels, so paint all along the line from the last one.
  function point(row, column, pressed) {
    canvas.frame([row - RADIUS, column - RADIUS, 2 * RADIUS + 1, 2 * RADIUS + 1]);
    if (!pressed) {
      state.last = null;
      const { text } = KINDS[kindOf(row * width + column)];
      status.textContent = `Row ${row}, column ${column}: ${text}. ${state.scores}`;
      return;
    }
    const [fromRow, fromColumn] = state.last ?? [row, column];
    const steps = Math.max(Math.abs(row - fromRow), Math.abs(column - fromColumn), 1);
    for (let i = 0; i <= steps; i++) {
      const along = (from, to) => Math.round(from + ((to - from) * i) / steps);
      const covered = around(along(fromRow, row), along(fromColumn, column), RADIUS);
      for (const [y, x] of covered) state.painted[y * width + x] = state.brush;
    }
    state.last = [row, column];
    show();
  }

  // ------------------------------------------------------------------------ what the reader sees

  const canvas = kit.picture("Your answer, compared with the mask. Paint on it.", {
    height,
    width,
    label: "Your answer, compared with the mask",
    point,
  });
  canvas.box.addEventListener("lostpointercapture", () => (state.last = null));
  const scores = ["IoU", "Dice", "accuracy"];
  const bars = kit.bars(
    scores,
    scores.map(() => KINDS.TP.colour),
  );
  const counts = kit.element("div");
  const status = kit.status();

  function show() {
    const kinds = Array.from(state.mask, (_, i) => kindOf(i));
    const found = Object.keys(KINDS).map((name) => kinds.filter((kind) => kind === name).length);
    const [TP, FP, FN, TN] = found;
    canvas.draw((i) => KINDS[kinds[i]].colour);
    const values = [
      TP / (TP + FP + FN),
      (2 * TP) / (2 * TP + FP + FN),
      (TP + TN) / (TP + TN + FP + FN),
    ];
    bars.set(values, (value) => value.toFixed(3));
    const shown = Object.values(KINDS);
    counts.replaceChildren(
      kit.legend(
        shown.map(({ text }, i) => `${text}: ${found[i]}`),
        shown.map(({ colour }) => colour),
      ),
    );
    state.scores =
      `IoU = ${TP} / (${TP} + ${FP} + ${FN}) = ${values[0].toFixed(3)}, ` +
      `Dice ${values[1].toFixed(3)}, accuracy ${values[2].toFixed(3)}.`;
    status.textContent = state.scores;
  }

  function choose(i) {
    state.mask = kit.item(masks, i).data;
    answer(state.preset ?? Object.keys(PRESETS)[0]);
  }

  const presets = Object.keys(PRESETS).map((name) => kit.button(name, () => answer(name)));
  kit.mount(
    figure,
    kit.choice("Mask", chapter.names, choose),
    kit.element("div", { className: "live-controls" }, kit.element("b", {}, "Answer"), ...presets),
    kit.choice("Brush", ["paints", "erases"], (i) => (state.brush = 1 - i)),
    kit.row(canvas, kit.element("div", {}, bars, counts)),
    status,
  );
  choose(0);
};
