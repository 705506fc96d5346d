// Photographs as the model sees them, and label maps of the photograph's own size: in JavaScript
// what voc_seg.data.images and voc_seg.prediction do with OpenCV.
//
// The browser's own scaling isn't used: it smooths differently. An image is {height, width, data},
// RGBA as a canvas gives it.

var live = window.live || {};

live.photo = function () {
  const GREY = 127; // fills the rest of the square
  const DEFAULT_SIZE = 512; // pixels; used if the model's training size is unknown
  const LARGEST_SIZE = 4096; // pixels; a larger square would not fit in the page's memory

  // Python's round: halves go to the even neighbour.
  function round(value) {
    const below = Math.floor(value);
    if (value - below !== 0.5) return Math.round(value);
    return below % 2 === 0 ? below : below + 1;
  }

  // The long side becomes `size`: [height, width].
  function fit({ height, width }, size) {
    const scale = size / Math.max(height, width);
    return [height, width].map((side) => Math.max(1, round(side * scale)));
  }

  // -> a map (size, size, 3) of 0..255. The image is at the top left, its long side is `size`.
  function letterbox(image, size) {
    const [height, width] = fit(image, size);
    const shrink = size < Math.max(image.height, image.width);
    const weights = shrink ? areaWeights : linearWeights;
    const rows = weights(image.height, height);
    const columns = weights(image.width, width);
    const square = { shape: [size, size, 3], data: new Float32Array(size * size * 3).fill(GREY) };
    const line = new Float64Array(image.width * 3); // one row of the result, still of full width
    for (let y = 0; y < height; y++) {
      line.fill(0);
      for (const [row, weight] of rows[y]) {
        let from = row * image.width * 4;
        for (let to = 0; to < line.length; to += 3, from += 4) {
          line[to] += weight * image.data[from];
          line[to + 1] += weight * image.data[from + 1];
          line[to + 2] += weight * image.data[from + 2];
        }
      }
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < 3; c++) {
          let sum = 0;
          for (const [column, weight] of columns[x]) sum += weight * line[column * 3 + c];
          square.data[(y * size + x) * 3 + c] = Math.round(sum);
        }
      }
    }
    return square;
  }

  // For each position along the shorter side, the [position, weight] of what it covers: OpenCV's
  // INTER_AREA. A pixel that is covered by half counts by half.
  function areaWeights(from, to) {
    const scale = from / to;
    return Array.from({ length: to }, (_, i) => {
      const [start, end] = [i * scale, Math.min((i + 1) * scale, from)];
      const covered = [];
      for (let k = Math.floor(start); k < end; k++) {
        const part = Math.min(k + 1, end) - Math.max(k, start);
        if (part > 1e-9) covered.push([k, part / (end - start)]);
      }
      return covered;
    });
  }

  // For each position along the new side, its two neighbours: OpenCV's INTER_LINEAR. Pixels are
  // squares, and their positions are those of their centres.
  function linearWeights(from, to) {
    return Array.from({ length: to }, (_, i) => {
      const place = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
      const first = Math.floor(place);
      const weight = place - first;
      return [
        [first, 1 - weight],
        [Math.min(first + 1, from - 1), weight],
      ];
    });
  }

  // The likeliest class of each pixel, as `predict_labels`: the probabilities are interpolated to
  // the image's size, not the labels.
  //   square: a map (size, size, C), what the model says about the letterbox.
  // -> Uint8Array of height * width class indices.
  function argmax({ shape: [size, , channels], data }, image) {
    const [height, width] = fit(image, size); // the part of the square that holds the image
    const rows = linearWeights(height, image.height);
    const columns = linearWeights(width, image.width);
    const labels = new Uint8Array(image.height * image.width);
    const line = new Float64Array(width * channels);
    for (let y = 0; y < image.height; y++) {
      const [[above, w0], [below, w1]] = rows[y];
      for (let i = 0; i < line.length; i++) {
        line[i] = w0 * data[above * size * channels + i] + w1 * data[below * size * channels + i];
      }
      for (let x = 0; x < image.width; x++) {
        const left = columns[x][0][0] * channels;
        const right = columns[x][1][0] * channels;
        const weight = columns[x][1][1];
        let best = -Infinity;
        for (let c = 0; c < channels; c++) {
          const p = (1 - weight) * line[left + c] + weight * line[right + c];
          if (p > best) {
            best = p;
            labels[y * image.width + x] = c;
          }
        }
      }
    }
    return labels;
  }

  // The colours of VOC's masks: the bits of an index go in turn to red, green and blue.
  function colour(index) {
    const rgb = [0, 0, 0];
    for (let bit = 0; bit < 8; bit++) rgb[bit % 3] |= ((index >> bit) & 1) << (7 - Math.floor(bit / 3));
    return rgb;
  }

  return { DEFAULT_SIZE, LARGEST_SIZE, letterbox, argmax, colour };
};
