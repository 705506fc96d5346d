// Chapter 5: cut the skip connections of a trained U-Net, next to a network that never had any.

var live = window.live || {};

live.skips = async function (figure) {
  const kit = live.kit();
  const { run } = live.engine();
  const { colour } = live.photo();
  const chapter = live.chapters["05_unet"];
  const { names, values } = chapter;
  const [images, masks] = [kit.array(chapter.images), kit.array(chapter.masks)];
  const [count, height, width] = images.shape;
  const colours = values.map(colour);
  const unet = await kit.readModel(chapter.unet);
  const bare = await kit.readModel(chapter.encoderDecoder);
  const skips = unet.layers.filter(({ kind }) => kind === "Concatenate").map(({ name }) => name);
  skips.reverse(); // the finest first
  const cut = new Set(); // the names of those that are cut
  const state = { image: 0 };

  // ------------------------------------------------------------------------------ the network

  // In the map that a decoder block reads, the first half of the channels is what the skip
  // connection brings. Zeros in it do the same as zero weights in the block.
  function cutSkips(layer, { shape: [, , channels], data }) {
    if (!cut.has(layer.name)) return;
    for (let i = 0; i < data.length; i += channels) data.fill(0, i, i + channels / 2);
  }

  // ---------------------------------------------------------------------- what the reader sees

  const size = { height, width };
  const photo = kit.picture("The image", size);
  const truth = kit.picture("The mask", size);
  const panels = [
    ["U-Net", unet],
    ["Encoder-decoder", bare],
  ].map(([name, model]) => ({
    name,
    model,
    map: kit.picture("", { ...size, label: `The label map by the ${name}` }),
    errors: kit.picture(`Errors: ${name}`, size),
  }));
  const status = kit.status();

  // Labels an image, and returns how many of the pixels that count are right.
  function show({ name, model, map, errors }) {
    const image = kit.item(images, state.image);
    const mask = kit.item(masks, state.image).data;
    const [answer] = run(model, kit.toMap(image), cutSkips);
    const labels = kit.labelsOf(answer);
    const counts = (i) => mask[i] < names.length; // void doesn't
    const all = labels.filter((_, i) => counts(i)).length;
    const right = labels.filter((label, i) => label === mask[i]).length;
    map.draw((i) => colours[labels[i]]);
    map.setTitle(`${name}: ${right} right`);
    errors.draw((i) => {
      if (counts(i) && labels[i] !== mask[i]) return colours[labels[i]];
      const [red, green, blue] = image.data.subarray(3 * i, 3 * i + 3);
      return Array(3).fill(0.3 * red + 0.59 * green + 0.11 * blue);
    });
    return `${right} of ${all} pixels`;
  }

  function showAll() {
    const [ours, other] = panels.map(show);
    const numbers = skips.map((skip, i) => cut.has(skip) && i + 1).filter(Boolean);
    const without = numbers.length ? `without skip ${numbers.join(" and ")}` : "with all its skips";
    status.textContent = `U-Net ${without}: ${ours} right. The encoder-decoder: ${other}.`;
  }

  function choose(image) {
    state.image = image;
    const { data } = kit.item(images, image);
    const mask = kit.item(masks, image).data;
    photo.draw((i) => data.subarray(3 * i, 3 * i + 3));
    truth.draw((i) => colours[mask[i]] ?? colour(mask[i]));
    showAll();
  }

  const notes = { 0: " (finest)", [skips.length - 1]: " (coarsest)" };
  const ticks = skips.map((skip, i) =>
    kit.tick(
      `skip ${i + 1}${notes[i] ?? ""}`,
      (on) => {
        if (on) cut.delete(skip);
        else cut.add(skip);
        showAll();
      },
      true,
    ),
  );

  kit.mount(
    figure,
    kit.choice("Image", Array.from({ length: count }, (_, i) => `${i + 1}`), choose),
    kit.element("div", { className: "live-controls" }, "Skip connections of the U-Net:", ...ticks),
    kit.row(photo, truth, ...panels.flatMap(({ map, errors }) => [map, errors])),
    kit.legend(names, colours),
    status,
    kit.fastNote(chapter),
  );
  choose(0);
};
