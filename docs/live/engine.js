// Runs a voc_seg model in the page: the forward pass, one function per layer.
//
// A map is {shape: [H, W, C], data: Float32Array}, row by row, with the channels together; there is
// no batch. A layer's function takes the layer and its input maps. tests/test_live.py compares each
// kind of model with Keras.

var live = window.live || {};

live.engine = function () {
  const MOST = 2 ** 28; // numbers in a map: a gigabyte
  const checked = new WeakSet(); // the models that `check` has let pass

  const LAYERS = {
    Add: add,
    BatchNormalization: batchNormalization,
    ClassProbabilities: classProbabilities,
    Concatenate: concatenate,
    Conv2D: conv2d,
    Conv2DTranspose: conv2dTranspose,
    CropLike: cropLike,
    Dense: dense,
    Flatten: flatten,
    Flip: flip,
    GetItem: getItem,
    GlobalAveragePooling2D: globalAveragePooling2d,
    MaxPooling2D: maxPooling2d,
    PadToMultiple: padToMultiple,
    ReLU: relu,
    ReflectPadding2D: reflectPadding2d,
    Rescaling: rescaling,
    UpSampling2D: upSampling2d,
  };

  // Runs a model by `readKeras` over an image.
  //   image: a map (H, W, 3), RGB, 0..255.
  //   onLayer: called with each layer and its map, which a figure may look at or replace.
  // Returns the list of the model's outputs; a segmenter has one, (H, W, num_classes).
  function run(model, image, onLayer = () => {}) {
    if (!checked.has(model)) check(model);
    checked.add(model);
    return runLayers(model, image, onLayer);
  }

  function runLayers(model, image, onLayer) {
    const uses = countUses(model);
    const maps = new Map(); // the name of a layer: the list of its outputs
    for (const layer of model.layers) {
      const inputs = layer.inputs.map(([name, index]) => maps.get(name)[index]);
      if (layer.kind === "InputLayer") maps.set(layer.name, [image]);
      else if (layer.model) maps.set(layer.name, runLayers(layer.model, inputs[0], onLayer));
      else {
        const map = LAYERS[layer.kind](layer, ...inputs);
        maps.set(layer.name, [onLayer(layer, map) ?? map]);
      }
      for (const [name] of layer.inputs) {
        uses.set(name, uses.get(name) - 1);
        if (uses.get(name) === 0) maps.delete(name); // nothing reads it again
      }
    }
    return model.outputs.map(([name, index]) => maps.get(name)[index]);
  }

  // How often each layer's outputs are read, by other layers and at the end.
  function countUses(model) {
    const uses = new Map();
    const reads = [...model.layers.map((layer) => layer.inputs), model.outputs].flat();
    for (const [name] of reads) uses.set(name, (uses.get(name) ?? 0) + 1);
    return uses;
  }

  // Every layer that is computed, those of nested models included.
  function allLayers(model) {
    return model.layers.flatMap((layer) => (layer.model ? allLayers(layer.model) : [layer]));
  }

  // Throws unless the engine knows every layer, and every weight is a finite number.
  function check(model) {
    const layers = allLayers(model).filter(({ kind }) => kind !== "InputLayer");
    const unknown = layers.map(({ kind }) => kind).filter((kind) => !Object.hasOwn(LAYERS, kind));
    if (unknown.length) {
      throw new Error(`this page cannot run its layers ${[...new Set(unknown)].join(", ")}`);
    }
    for (const layer of layers) {
      if (layer.config.data_format === "channels_first") refuse(layer, "channels first");
      if (!layer.weights.every(({ data }) => data)) {
        refuse(layer, "weights that are not floats of 16, 32 or 64 bits");
      }
      if (!layer.weights.every(({ data }) => data.every(Number.isFinite))) {
        throw new Error(`the weights of its layer ${layer.name} are NaN or infinite`);
      }
    }
  }

  function refuse(layer, option) {
    throw new Error(`this page cannot run its layer ${layer.name} (${layer.kind} with ${option})`);
  }

  function newMap(height, width, channels) {
    if (!(height * width * channels <= MOST)) {
      throw new Error(`it needs a map of ${height} x ${width} x ${channels} numbers, too many here`);
    }
    try {
      return { shape: [height, width, channels], data: new Float32Array(height * width * channels) };
    } catch {
      throw new Error("it needs more memory than this browser gives a page");
    }
  }

  // A layer's weights, after a comparison with the shape that they must have.
  function weightsOf(layer, ...shapes) {
    const found = layer.weights.map(({ shape }) => shape.join(" x ")).join(", ");
    const wanted = shapes.map((shape) => shape.join(" x ")).join(", ");
    if (found !== wanted) {
      throw new Error(`its layer ${layer.name} has weights of ${found || "no"}, expected ${wanted}`);
    }
    return layer.weights.map(({ data }) => data);
  }

  // --------------------------------------------------------------------------- pixel by pixel

  function rescaling({ config }, x) {
    const [height, width, channels] = x.shape;
    const y = newMap(height, width, channels);
    const at = (value, c) => (Array.isArray(value) ? value[c] : value);
    for (let c = 0; c < channels; c++) {
      const [scale, offset] = [at(config.scale, c), at(config.offset, c)];
      for (let i = c; i < x.data.length; i += channels) y.data[i] = x.data[i] * scale + offset;
    }
    return y;
  }

  // With the statistics of the training: gamma (x - mean) / sqrt(variance + epsilon) + beta.
  function batchNormalization(layer, x) {
    const [height, width, channels] = x.shape;
    const { axis, epsilon, center, scale } = layer.config;
    if (axis !== -1 && axis !== 3) refuse(layer, `axis ${axis}`);
    const count = 2 + center + scale;
    const weights = weightsOf(layer, ...Array(count).fill([channels]));
    const [mean, variance] = weights.slice(-2);
    const y = newMap(height, width, channels);
    for (let c = 0; c < channels; c++) {
      const factor = (scale ? weights[0][c] : 1) / Math.sqrt(variance[c] + epsilon);
      const offset = (center ? weights[scale ? 1 : 0][c] : 0) - mean[c] * factor;
      for (let i = c; i < x.data.length; i += channels) y.data[i] = x.data[i] * factor + offset;
    }
    return y;
  }

  function relu(layer, x) {
    const { max_value: most, negative_slope: slope, threshold } = layer.config;
    if (most != null || slope || threshold) refuse(layer, "a slope, a threshold or a maximum");
    const y = newMap(...x.shape);
    for (let i = 0; i < x.data.length; i++) y.data[i] = x.data[i] > 0 ? x.data[i] : 0;
    return y;
  }

  // Softmax: exp(x) / sum of exp(x). Less the largest, so that nothing overflows.
  function classProbabilities(layer, x) {
    const [height, width, channels] = x.shape;
    const y = newMap(height, width, channels);
    for (let start = 0; start < x.data.length; start += channels) {
      let largest = -Infinity;
      for (let c = 0; c < channels; c++) largest = Math.max(largest, x.data[start + c]);
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += Math.exp(x.data[start + c] - largest);
      for (let c = 0; c < channels; c++) {
        y.data[start + c] = Math.exp(x.data[start + c] - largest) / sum;
      }
    }
    return y;
  }

  // keras.ops.flip(x, axis=-1): how VGG's RGB becomes BGR.
  function flip(layer, x) {
    if (layer.config.axis !== -1) refuse(layer, "another axis");
    return reverseChannels(x);
  }

  // x[..., ::-1]: the same, in models saved by voc_seg 0.1.
  function getItem(layer, x) {
    const [dots, slice, ...more] = Array.isArray(layer.key) ? layer.key : [];
    const { start, stop, step } = slice?.config ?? {};
    const reversed = step === -1 && start === null && stop === null;
    if (dots?.class_name !== "__ellipsis__" || !reversed || more.length) {
      refuse(layer, "other than [..., ::-1]");
    }
    return reverseChannels(x);
  }

  function reverseChannels(x) {
    const [height, width, channels] = x.shape;
    const y = newMap(height, width, channels);
    for (let i = 0; i < x.data.length; i += channels) {
      for (let c = 0; c < channels; c++) y.data[i + c] = x.data[i + channels - 1 - c];
    }
    return y;
  }

  // ------------------------------------------------------------------- several maps become one

  // (H, W, C), (H, W, D), ... -> (H, W, C + D + ...)
  function concatenate(layer, ...maps) {
    const [height, width] = maps[0].shape;
    if (layer.config.axis !== -1 && layer.config.axis !== 3) refuse(layer, "another axis");
    if (maps.some(({ shape: [h, w] }) => h !== height || w !== width)) {
      refuse(layer, "maps of different sizes");
    }
    const channels = maps.reduce((sum, { shape }) => sum + shape[2], 0);
    const y = newMap(height, width, channels);
    let first = 0;
    for (const { data, shape } of maps) {
      for (let pixel = 0; pixel < height * width; pixel++) {
        for (let c = 0; c < shape[2]; c++) {
          y.data[pixel * channels + first + c] = data[pixel * shape[2] + c];
        }
      }
      first += shape[2];
    }
    return y;
  }

  // (H, W, C) + (H, W, C), or + (1, 1, C): the same for every pixel.
  function add(layer, x, ...others) {
    const [height, width, channels] = x.shape;
    const y = newMap(height, width, channels);
    y.data.set(x.data);
    for (const { shape, data } of others) {
      const same = shape.every((side, axis) => side === x.shape[axis]);
      const single = shape[0] === 1 && shape[1] === 1 && shape[2] === channels;
      if (!same && !single) refuse(layer, "maps of different sizes");
      for (let i = 0; i < y.data.length; i++) y.data[i] += data[same ? i : i % channels];
    }
    return y;
  }

  // ------------------------------------------------------------------------ another height and width

  // (H', W', C) -> (H, W, C), the size of the other map.
  function cropLike(layer, x, { shape: [height, width] }) {
    return take(x, range(height), range(width));
  }

  function padToMultiple({ config: { multiple } }, x) {
    const rest = (side) => (multiple - (side % multiple)) % multiple;
    const [rows, columns] = x.shape.map((side) => reflected(side, 0, rest(side)));
    return take(x, rows, columns);
  }

  function reflectPadding2d({ config: { before, after } }, x) {
    const [rows, columns] = x.shape.map((side) => reflected(side, before, after));
    return take(x, rows, columns);
  }

  // (H, W, C) -> (a H, b W, C): each pixel becomes a block.
  function upSampling2d(layer, x) {
    const { size, interpolation } = layer.config;
    if (interpolation !== "nearest") refuse(layer, interpolation);
    const [rows, columns] = size.map((factor, axis) =>
      range(x.shape[axis] * factor).map((i) => Math.floor(i / factor)),
    );
    return take(x, rows, columns);
  }

  function range(length) {
    return Array.from({ length }, (_, i) => i);
  }

  // The positions that a reflected side shows: for 4, 2 before and 2 after, 2 1 | 0 1 2 3 | 2 1.
  function reflected(length, before, after) {
    const period = Math.max(2 * length - 2, 1);
    return range(length + before + after).map((i) => {
      const position = (((i - before) % period) + period) % period;
      return Math.min(position, period - position);
    });
  }

  // The pixels of these rows and columns: (H, W, C) -> (rows, columns, C).
  function take(x, rows, columns) {
    const [, width, channels] = x.shape;
    const y = newMap(rows.length, columns.length, channels);
    let out = 0;
    for (const row of rows) {
      for (const column of columns) {
        const pixel = (row * width + column) * channels;
        for (let c = 0; c < channels; c++) y.data[out++] = x.data[pixel + c];
      }
    }
    return y;
  }

  // (H, W, C) -> (1, 1, C), the mean over the image.
  function globalAveragePooling2d(layer, x) {
    const [height, width, channels] = x.shape;
    if (!layer.config.keepdims) refuse(layer, "keepdims=False");
    const y = newMap(1, 1, channels);
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let i = c; i < x.data.length; i += channels) sum += x.data[i];
      y.data[c] = sum / (height * width);
    }
    return y;
  }

  function maxPooling2d(layer, x) {
    const { pool_size: pool, strides, padding } = layer.config;
    const [height, width, channels] = x.shape;
    const [rows, top] = windows(height, pool[0], strides[0], 1, padding);
    const [columns, left] = windows(width, pool[1], strides[1], 1, padding);
    if (rows < 1 || columns < 1) refuse(layer, `a map of only ${height} x ${width}`);
    const y = newMap(rows, columns, channels);
    let out = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, out += channels) {
        y.data.fill(-Infinity, out, out + channels);
        for (let i = 0; i < pool[0]; i++) {
          for (let j = 0; j < pool[1]; j++) {
            const h = row * strides[0] + i - top;
            const w = column * strides[1] + j - left;
            if (h < 0 || h >= height || w < 0 || w >= width) continue;
            const pixel = (h * width + w) * channels;
            for (let c = 0; c < channels; c++) {
              y.data[out + c] = Math.max(y.data[out + c], x.data[pixel + c]);
            }
          }
        }
      }
    }
    return y;
  }

  // How many windows fit along a side, and how many positions of padding come before it.
  function windows(side, kernel, stride, dilation, padding) {
    const reach = (kernel - 1) * dilation + 1; // from the first to the last tap
    if (padding === "valid") return [Math.floor((side - reach) / stride) + 1, 0];
    const count = Math.ceil(side / stride);
    return [count, Math.floor(Math.max((count - 1) * stride + reach - side, 0) / 2)];
  }

  // ------------------------------------------------------------------------------ convolutions

  // (H, W, C) -> (H', W', filters). The kernel has the shape (k, k, C, filters).
  function conv2d(layer, x) {
    const { filters, kernel_size: kernel, strides, dilation_rate: dilation } = layer.config;
    const { padding, groups, use_bias: biased, activation } = layer.config;
    const [height, width, channels] = x.shape;
    if (groups !== 1) refuse(layer, `${groups} groups`);
    if (padding !== "same" && padding !== "valid") refuse(layer, `padding ${padding}`);
    const shapes = [[...kernel, channels, filters], [filters]];
    const [weights, bias] = weightsOf(layer, ...shapes.slice(0, biased ? 2 : 1));
    const [rows, top] = windows(height, kernel[0], strides[0], dilation[0], padding);
    const [columns, left] = windows(width, kernel[1], strides[1], dilation[1], padding);
    if (rows < 1 || columns < 1) refuse(layer, `a map of only ${height} x ${width}`);
    const y = newMap(rows, columns, filters);

    // Each output pixel is a row of numbers, all that its window sees, times the kernel.
    const size = kernel[0] * kernel[1] * channels;
    const packed = packPairs(weights, size, filters);
    const tile = Math.max(4, Math.min(64, 4 * Math.floor(2 ** 14 / size))); // fits in the cache
    const seen = new Float64Array(tile * size);
    for (let first = 0; first < rows * columns; first += tile) {
      const count = Math.min(tile, rows * columns - first);
      let out = 0;
      for (let pixel = first; pixel < first + count; pixel++) {
        const row = Math.floor(pixel / columns) * strides[0] - top;
        const column = (pixel % columns) * strides[1] - left;
        for (let i = 0; i < kernel[0]; i++) {
          for (let j = 0; j < kernel[1]; j++) {
            const h = row + i * dilation[0];
            const w = column + j * dilation[1];
            if (h < 0 || h >= height || w < 0 || w >= width) seen.fill(0, out, out + channels);
            else {
              const start = (h * width + w) * channels;
              for (let c = 0; c < channels; c++) seen[out + c] = x.data[start + c];
            }
            out += channels;
          }
        }
      }
      multiply(seen, count, packed, size, filters, y.data, first * filters);
    }
    return activate(layer, activation, y, bias);
  }

  // A fully connected layer, the same at every pixel: (H, W, C) -> (H, W, units). After `flatten`
  // there is only one pixel.
  function dense(layer, x) {
    const { units, use_bias: biased, activation } = layer.config;
    const [height, width, channels] = x.shape;
    const shapes = [[channels, units], [units]];
    const [weights, bias] = weightsOf(layer, ...shapes.slice(0, biased ? 2 : 1));
    const y = newMap(height, width, units);
    const packed = packPairs(weights, channels, units);
    multiply(Float64Array.from(x.data), height * width, packed, channels, units, y.data, 0);
    return activate(layer, activation, y, bias);
  }

  // (H, W, C) -> (1, 1, H W C)
  function flatten(layer, x) {
    return { shape: [1, 1, x.data.length], data: x.data };
  }

  // (H, W, C) -> (s H, s W, filters). Each input pixel stamps the kernel, whose shape is
  // (k, k, filters, C), on the output; where stamps overlap, they add up.
  function conv2dTranspose(layer, x) {
    const { filters, kernel_size: kernel, strides, dilation_rate: dilation } = layer.config;
    const { padding, output_padding: extra, use_bias: biased, activation } = layer.config;
    const [height, width, channels] = x.shape;
    if (extra != null || dilation.some((rate) => rate !== 1)) refuse(layer, "output_padding or dilation");
    const shapes = [[...kernel, filters, channels], [filters]];
    const [weights, bias] = weightsOf(layer, ...shapes.slice(0, biased ? 2 : 1));
    const over = kernel.map((side, axis) => Math.max(side - strides[axis], 0));
    const cut = over.map((side) => (padding === "same" ? Math.floor(side / 2) : 0));
    const [rows, columns] = [height, width].map(
      (side, axis) => side * strides[axis] + (padding === "same" ? 0 : over[axis]),
    );
    const y = newMap(rows, columns, filters);

    const stampSize = kernel[0] * kernel[1] * filters;
    const packed = packPairs(transpose(weights, stampSize, channels), channels, stampSize);
    const stamps = new Float32Array(width * stampSize); // of one row of the input
    for (let row = 0; row < height; row++) {
      const pixels = Float64Array.from(
        x.data.subarray(row * width * channels, (row + 1) * width * channels),
      );
      multiply(pixels, width, packed, channels, stampSize, stamps, 0);
      let from = 0;
      for (let column = 0; column < width; column++) {
        for (let i = 0; i < kernel[0]; i++) {
          for (let j = 0; j < kernel[1]; j++, from += filters) {
            const h = row * strides[0] + i - cut[0];
            const w = column * strides[1] + j - cut[1];
            if (h < 0 || h >= rows || w < 0 || w >= columns) continue;
            const to = (h * columns + w) * filters;
            for (let c = 0; c < filters; c++) y.data[to + c] += stamps[from + c];
          }
        }
      }
    }
    return activate(layer, activation, y, bias);
  }

  function activate(layer, activation, y, bias) {
    if (activation !== "linear" && activation !== "relu") {
      refuse(layer, `activation ${activation.class_name ?? activation}`);
    }
    const channels = y.shape[2];
    for (let i = 0; i < y.data.length; i++) {
      const value = y.data[i] + (bias ? bias[i % channels] : 0);
      y.data[i] = activation === "relu" && value < 0 ? 0 : value;
    }
    return y;
  }

  // (rows, columns) -> (columns, rows)
  function transpose(matrix, rows, columns) {
    const turned = new Float32Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j];
    }
    return turned;
  }

  // Lays the columns of a matrix (size, columns) out in pairs, one pair after the other, so that
  // `multiply` reads them in order. An odd last column is paired with zeros.
  function packPairs(matrix, size, columns) {
    const packed = new Float64Array(2 * Math.ceil(columns / 2) * size);
    for (let column = 0; column < columns; column++) {
      let to = (column >> 1) * 2 * size + (column & 1);
      for (let k = 0; k < size; k++, to += 2) packed[to] = matrix[k * columns + column];
    }
    return packed;
  }

  // Rows (count, size) times a packed matrix (size, columns) -> out (count, columns).
  // The network's time is spent here: four rows by two columns are eight sums, which a processor
  // keeps in its registers. Sums are in double precision, because JavaScript's numbers are.
  function multiply(rows, count, packed, size, columns, out, start) {
    for (let row = 0; row < count; row += 4) {
      const a = row * size;
      const b = Math.min(row + 1, count - 1) * size;
      const c = Math.min(row + 2, count - 1) * size;
      const d = Math.min(row + 3, count - 1) * size;
      for (let column = 0; column < columns; column += 2) {
        let a0 = 0, a1 = 0, b0 = 0, b1 = 0, c0 = 0, c1 = 0, d0 = 0, d1 = 0;
        for (let k = 0, at = column * size; k < size; k++, at += 2) {
          const w0 = packed[at];
          const w1 = packed[at + 1];
          a0 += rows[a + k] * w0;
          a1 += rows[a + k] * w1;
          b0 += rows[b + k] * w0;
          b1 += rows[b + k] * w1;
          c0 += rows[c + k] * w0;
          c1 += rows[c + k] * w1;
          d0 += rows[d + k] * w0;
          d1 += rows[d + k] * w1;
        }
        const sums = [a0, a1, b0, b1, c0, c1, d0, d1];
        for (let i = 0; i < 4 && row + i < count; i++) {
          const to = start + (row + i) * columns + column;
          out[to] = sums[2 * i];
          if (column + 1 < columns) out[to + 1] = sums[2 * i + 1];
        }
      }
    }
  }

  // ------------------------------------------------------------------------------------- to_dense

  // A patch classifier over a whole image in one pass, as `voc_seg.to_dense` does it: dilation
  // replaces stride, and the first fully connected layer becomes a convolution.
  function toDense(model) {
    const layers = [];
    const append = (name, kind, config, weights) => {
      const inputs = layers.length ? [[layers.at(-1).name, 0]] : [];
      layers.push({ name, kind, config, weights, inputs, model: null });
    };
    const [input, ...rest] = model.layers;
    const [, height, window] = input.config.batch_shape;
    if (height !== window || window % 2 === 0) {
      throw new Error(`it labels windows of ${height} x ${window}; expected a square with an odd side`);
    }
    append(input.name, input.kind, input.config, []);
    append("reflect", "ReflectPadding2D", { before: window >> 1, after: window >> 1 }, []);

    let [size, channels] = [window, 3]; // of the map in the patch classifier
    let dilation = 1; // the product of all strides so far: pixels between neighbours in the map
    for (const { name, kind, config, weights } of rest) {
      if (kind === "Conv2D") {
        const { kernel_size: kernel, strides, padding, dilation_rate: rate } = config;
        const exact = padding === "valid" && rate[0] === 1 && (size - kernel[0]) % strides[0] === 0;
        if (!exact) throw new Error(`its layer ${name} cannot be made dense`);
        append(name, kind, { ...config, strides: [1, 1], dilation_rate: [dilation, dilation] }, weights);
        size = (size - kernel[0]) / strides[0] + 1;
        channels = config.filters;
        dilation *= strides[0];
      } else if (kind === "Dense") {
        const convolution = {
          ...config,
          filters: config.units,
          kernel_size: [size, size],
          strides: [1, 1],
          dilation_rate: [dilation, dilation],
          padding: "valid",
          groups: 1,
        };
        weightsOf({ name, weights: weights.slice(0, 1) }, [size * size * channels, config.units]);
        const shape = [size, size, channels, config.units]; // the same numbers as (k k C, units)
        append(name, "Conv2D", convolution, [{ ...weights[0], shape }, ...weights.slice(1)]);
        [size, channels] = [1, config.units];
      } else if (kind === "Rescaling" || kind === "ClassProbabilities") {
        append(name, kind, config, weights);
      } else if (kind !== "Flatten") {
        throw new Error(`its layer ${name} (${kind}) cannot be made dense`);
      }
    }
    const outputs = [[layers.at(-1).name, 0]];
    return { name: `dense_${model.name}`, layers, inputs: model.inputs, outputs };
  }

  return { run, toDense, allLayers, check };
};
