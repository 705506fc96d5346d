// Chapter 7: a network is asked for one class only. Move the threshold above which a pixel is
// called by its name, and see what is found, and what it costs.

var live = window.live || {};

live.threshold = async function (figure) {
  const kit = live.kit();
  const { run } = live.engine();
  const chapter = live.chapters["07_two_or_twenty_one"];
  const [images, masks] = [kit.array(chapter.images), kit.array(chapter.masks)];
  const [count, height, width] = images.shape;
  const { name, target } = chapter; // the class that we look for, and its channel
  const model = await kit.readModel(chapter.model);
  const VOID = 255;
  // What can become of a pixel, at the index 2 * truth + label.
  const KINDS = ["rightly left out", "false alarm", "missed", "found"];
  const COLOURS = [[255, 255, 255], [213, 94, 0], [230, 159, 0], [0, 114, 178]];
  const GREY = [204, 204, 204]; // void
  const state = { image: 0, threshold: 0.5 };
  let p; // the probability of the class at each pixel

  // ------------------------------------------------------------------------------ the numbers

  const truth = () => kit.item(masks, state.image).data; // 0, 1, or void
  const label = (i) => Number(p[i] > state.threshold);

  function measure() {
    const counts = [0, 0, 0, 0];
    truth().forEach((y, i) => y !== VOID && (counts[2 * y + label(i)] += 1));
    const [rest, alarms, misses, hits] = counts;
    return {
      alarms,
      misses,
      hits,
      precision: hits / (hits + alarms), // NaN if nothing is found
      recall: hits / (hits + misses),
      iou: hits / (hits + alarms + misses),
      accuracy: (hits + rest) / (hits + alarms + misses + rest),
    };
  }

  // [recall, precision] at each threshold that makes a difference, the highest first. Pixels
  // are found one after the other, the likeliest first; equal ones together.
  function curve() {
    const y = truth();
    const order = [...y.keys()].filter((i) => y[i] !== VOID).sort((i, j) => p[j] - p[i]);
    const all = order.filter((i) => y[i] === 1).length;
    const points = [];
    let hits = 0;
    order.forEach((i, before) => {
      hits += y[i];
      const last = p[order[before + 1]] !== p[i];
      if (last) points.push([hits / all, hits / (before + 1)]);
    });
    return points;
  }

  // ---------------------------------------------------------------------- what the reader sees

  const sheets = Array.from({ length: count }, (_, i) => {
    const { data } = kit.item(masks, i);
    const share = data.filter((y) => y === 1).length / data.filter((y) => y !== VOID).length;
    return `${(100 * share).toFixed(0)} % ${name}`;
  });
  const photo = kit.picture("Four images", { height, width });
  const cutOut = kit.picture("What is cut out", { height, width });
  const errors = kit.picture("Right and wrong", { height, width });
  const plot = curvePlot();
  const blue = [0, 114, 178];
  const bars = kit.bars(["precision", "recall", "IoU", "accuracy"], [blue, blue, blue, blue]);
  const status = kit.status();
  const threshold = kit.slider("threshold", {
    min: 0,
    max: 1,
    step: 0.01,
    value: state.threshold,
    text: (t) => t.toFixed(2),
    change: cut,
  });
  const nothing = kit.button("Say background everywhere", () => {
    threshold.set(1); // no probability is above 1
    cut(1);
  });

  function cut(value) {
    state.threshold = value;
    const y = truth();
    const { data } = kit.item(images, state.image);
    const checkers = (i) => (((i / width) >> 2) + ((i % width) >> 2)) % 2; // squares of 4 pixels
    const ground = (i) => (checkers(i) ? [255, 255, 255] : [170, 170, 170]);
    cutOut.draw((i) => (label(i) ? data.subarray(3 * i, 3 * i + 3) : ground(i)));
    errors.draw((i) => COLOURS[2 * y[i] + label(i)] ?? GREY);

    const { hits, alarms, misses, precision, recall, iou, accuracy } = measure();
    const text = (score) => (isNaN(score) ? "none" : score.toFixed(3));
    bars.set([precision, recall, iou, accuracy], text);
    plot.mark(recall, precision);
    status.textContent =
      `Threshold ${value.toFixed(2)}: ${hits} of ${hits + misses} ${name} pixels are found, ` +
      `with ${alarms} false alarms.`;
  }

  // Precision over recall: a square of 100 x 100 with the curve, and a dot for the threshold.
  function curvePlot() {
    const make = (tag, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      return made;
    };
    const text = (x, y, words, anchor = "middle") => {
      const made = make("text", { x, y, "text-anchor": anchor });
      made.textContent = words;
      return made;
    };
    const line = make("polyline", { class: "live-curve" });
    const dot = make("circle", { r: 3, class: "live-dot" });
    const upright = text(0, 0, "precision");
    upright.setAttribute("transform", "translate(-5 50) rotate(-90)");
    const drawing = make("svg", { viewBox: "-13 -4 117 117", "aria-hidden": "true" });
    drawing.append(
      make("rect", { width: 100, height: 100, class: "live-axes" }),
      text(50, 110, "recall"),
      upright,
      text(0, 110, "0"),
      text(100, 110, "1", "end"),
      text(-3, 100, "0", "end"),
      text(-3, 7, "1", "end"),
      line,
      dot,
    );
    const caption = kit.element("figcaption", { textContent: "Every threshold; yours is the dot" });
    return Object.assign(kit.element("figure", { className: "live-plot" }, drawing, caption), {
      draw: (points) => {
        const places = points.map(([recall, precision]) => [100 * recall, 100 - 100 * precision]);
        line.setAttribute("points", places.join(" "));
      },
      mark: (recall, precision) => {
        dot.setAttribute("cx", 100 * recall);
        dot.setAttribute("cy", 100 - 100 * (precision || 0));
        dot.style.display = isNaN(precision) ? "none" : ""; // then it is not on the curve
      },
    });
  }

  function choose(image) {
    state.image = image;
    const input = kit.item(images, image);
    const [{ shape: [, , classes], data }] = run(model, kit.toMap(input));
    p = data.filter((_, i) => i % classes === target);
    photo.draw((i) => input.data.subarray(3 * i, 3 * i + 3));
    plot.draw(curve());
    cut(state.threshold);
  }

  kit.mount(
    figure,
    kit.choice("Sheet with", sheets, choose),
    kit.element("div", { className: "live-controls" }, threshold, nothing),
    kit.row(photo, cutOut, errors, plot),
    kit.legend([...KINDS, "void"], [...COLOURS, GREY]),
    bars,
    status,
    kit.fastNote(chapter),
  );
  choose(0);
};
