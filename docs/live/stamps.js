// Chapter 4: how many stamps does each output pixel of a transposed convolution get?

var live = window.live || {};

live.stamps = function (figure) {
  const kit = live.kit();
  const state = { kernel: 3, stride: 2, row: 1, column: 1 };

  // As many inputs along a side as make 10 to 18 outputs, so that the numbers stay readable.
  const inputsFor = (stride) => Math.ceil(8 / stride) + 2;

  // Each input of a square puts down a kernel of ones: the sums, row by row.
  function stamp(inputs, kernel, stride) {
    const side = inputs * stride + Math.max(kernel - stride, 0);
    const counts = Array.from({ length: side }, () => new Array(side).fill(0));
    for (let y = 0; y < inputs; y++) {
      for (let x = 0; x < inputs; x++) {
        for (let i = 0; i < kernel; i++) {
          for (let j = 0; j < kernel; j++) counts[y * stride + i][x * stride + j] += 1;
        }
      }
    }
    return counts;
  }

  // ------------------------------------------------------------------------ what the reader sees

  const places = kit.row();
  const verdict = kit.status();
  const status = kit.status();

  // A picture of numbers: the more stamps, the darker. The dashed line is around the inside.
  function drawCounts(counts, [first, last]) {
    const most = Math.max(...counts.flat());
    const cells = counts.flatMap((line, y) =>
      line.map((number, x) => {
        const shade = `fill-opacity="${(number / most).toFixed(2)}"`;
        return (
          `<rect x="${x}" y="${y}" width="1" height="1" ${shade} />` +
          `<text x="${x + 0.5}" y="${y + 0.5}">${number}</text>`
        );
      }),
    );
    const inside = `x="${first}" y="${first}" width="${last - first}" height="${last - first}"`;
    const stamped =
      `x="${state.column * state.stride}" y="${state.row * state.stride}" ` +
      `width="${state.kernel}" height="${state.kernel}"`;
    const box = kit.element("div", {
      className: "live-counts",
      attributes: { role: "img", "aria-label": "The number of stamps that each output pixel gets" },
      innerHTML:
        `<svg viewBox="-0.1 -0.1 ${counts.length + 0.2} ${counts.length + 0.2}">${cells.join("")}` +
        `<rect class="live-inside" ${inside} />` +
        `<rect class="live-edge" ${stamped} /><rect class="live-line" ${stamped} /></svg>`,
    });
    const title = kit.element("figcaption", { textContent: "The output: how many stamps" });
    return kit.element("figure", {}, box, title);
  }

  function show() {
    const { kernel, stride } = state;
    const inputs = inputsFor(stride);
    state.row = Math.min(state.row, inputs - 1);
    state.column = Math.min(state.column, inputs - 1);
    const counts = stamp(inputs, kernel, stride);
    // Near the border stamps are missing. Inside, every stamp that can meet is there.
    const inside = [Math.max(kernel - stride, 0), inputs * stride];
    const input = kit.picture("The input. Choose a pixel.", {
      height: inputs,
      width: inputs,
      label: "The input, ones",
      point: (row, column) => {
        Object.assign(state, { row, column });
        input.frame([row, column, 1, 1]);
        places.lastChild.replaceWith(drawCounts(counts, inside));
        sayStamp();
      },
    });
    input.draw((i) => ((Math.floor(i / inputs) + i) % 2 ? [170, 217, 244] : [200, 230, 248]));
    input.frame([state.row, state.column, 1, 1]);
    input.box.moveTo(state.row, state.column);
    places.replaceChildren(input, drawCounts(counts, inside));

    const found = counts.slice(...inside).flatMap((line) => line.slice(...inside));
    const [fewest, most] = [Math.min(...found), Math.max(...found)];
    const stamps = `${most} ${most === 1 ? "stamp" : "stamps"}`;
    verdict.textContent =
      `Kernel ${kernel}, stride ${stride}: ` +
      (fewest === most
        ? `even. Inside the dashed line, every pixel gets ${stamps}.`
        : `uneven. Inside the dashed line, a pixel gets from ${fewest} to ${stamps}.`);
    sayStamp();
  }

  function sayStamp() {
    const { kernel, stride, row, column } = state;
    const range = (name, start) =>
      kernel > 1 ? `${name}s ${start} to ${start + kernel - 1}` : `${name} ${start}`;
    status.textContent =
      `The input at row ${row}, column ${column} stamps ${range("row", row * stride)} ` +
      `and ${range("column", column * stride)} of the output.`;
  }

  const sliders = ["kernel", "stride"].map((name) =>
    kit.slider(name, {
      min: 1,
      max: name === "kernel" ? 6 : 4,
      value: state[name],
      change: (value) => {
        state[name] = value;
        show();
      },
    }),
  );

  kit.mount(
    figure,
    kit.element("div", { className: "live-controls" }, ...sliders),
    verdict,
    places,
    status,
  );
  show();
};
