// Finds the figures of a page, elements with data-live="NAME", and loads what they need, from next
// to this file. A page without figures loads nothing else.
//
// Plain scripts, because browsers refuse modules and fetch() on a page opened from a file.

var live = window.live || {};

const NETWORK = ["kit.js", "keras_file.js", "engine.js"];

live.PARTS = {
  resize: ["kit.js", "photo.js", "chapters/01_pixels_and_masks.js", "resize.js"],
  window: [...NETWORK, "photo.js", "chapters/02_sliding_window.js", "window.js"],
  field: [...NETWORK, "photo.js", "chapters/03_one_pass.js", "field.js"],
  stamps: ["kit.js", "stamps.js"],
  skips: [...NETWORK, "photo.js", "chapters/05_unet.js", "skips.js"],
  clicks: [...NETWORK, "photo.js", "chapters/06_transfer.js", "clicks.js"],
  threshold: [...NETWORK, "chapters/07_two_or_twenty_one.js", "threshold.js"],
  judge: ["kit.js", "chapters/08_judge_and_use.js", "judge.js"],
  playground: ["keras_file.js", "engine.js", "photo.js", "playground.js"],
};

live.start = function (folder) {
  const figures = [...document.querySelectorAll("[data-live]")];
  const names = [...new Set(figures.map((figure) => figure.dataset.live))];
  const files = [...new Set(names.flatMap((name) => live.PARTS[name] ?? []))];
  if (!files.length) return;
  const style = document.createElement("link");
  Object.assign(style, { rel: "stylesheet", href: new URL("live.css", folder) });
  document.head.append(style);
  for (const [i, file] of files.entries()) {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL(file, folder), async: false }); // in this order
    if (i === files.length - 1) {
      script.onload = () => figures.forEach((figure) => live[figure.dataset.live]?.(figure));
    }
    document.head.append(script);
  }
};

live.start(document.currentScript.src);
