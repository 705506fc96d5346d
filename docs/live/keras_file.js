// Reads a .keras file: a zip of config.json, which lists the layers, and model.weights.h5.
//
// A worker of the page is made from this function's own source, so it uses nothing from outside.

var live = window.live || {};

live.kerasFile = function () {
  const LARGEST = 2 ** 30; // bytes that one part of the file may have after unpacking

  // -> {name, layers, inputs, outputs}. The layers are in the order in which they are computed.
  // A layer is {name, kind, config, inputs, key, weights}, or has a nested model in `model`.
  async function readKeras(bytes) {
    const parts = zipParts(bytes);
    for (const name of ["config.json", "model.weights.h5"]) {
      if (!parts.has(name)) throw new Error(`it is a zip without ${name}; expected a .keras file`);
    }
    const config = parse(await unzip(bytes, parts.get("config.json")));
    if (!config?.class_name) throw new Error("its config.json describes no model");
    const weights = hdf5Datasets(await unzip(bytes, parts.get("model.weights.h5")));
    return toModel(config, weights, "");
  }

  // JavaScript puts an object's keys that are whole numbers before the others. A space in front keeps
  // them in their place, in case a class is called "10".
  function parse(json) {
    const text = new TextDecoder().decode(json).replace(/"(\d+)"(?=\s*:)/g, '" $1"');
    try {
      return JSON.parse(text);
    } catch {
      throw new Error("its config.json is damaged");
    }
  }

  // Keras names the weights of a layer after its class and its number among the layers of that
  // class: layers/conv2d_3/vars/0. The names of the layers do not count.
  function toModel({ class_name: kind, config }, weights, path) {
    if (kind !== "Functional") throw new Error(`it is a ${kind} model, not a functional one`);
    const counts = new Map();
    const layers = config.layers.map((layer) => {
      const number = counts.get(layer.class_name) ?? 0;
      counts.set(layer.class_name, number + 1);
      const folder = `${path}layers/${snakeCase(layer.class_name)}${number ? `_${number}` : ""}/`;
      if (layer.inbound_nodes.length > 1) {
        throw new Error(`its layer ${layer.name} is used ${layer.inbound_nodes.length} times`);
      }
      const [node] = layer.inbound_nodes;
      if (node && !node.args.length) {
        throw new Error(`its layer ${layer.name} is called by keyword; expected layer(x)`);
      }
      return {
        name: layer.name,
        kind: isKnown(layer) ? layer.class_name : `${layer.module}.${layer.class_name}`,
        config: layer.config,
        inputs: node ? tensors(node.args[0], layer.name) : [],
        key: node?.args[1], // of x[key]
        weights: layerWeights(weights, `${folder}vars/`),
        model: layer.class_name === "Functional" ? toModel(layer, weights, folder) : null,
      };
    });
    const { name, input_layers, output_layers: outputs } = config;
    const inputs = references(input_layers);
    if (inputs.length !== 1) throw new Error(`${name} has ${inputs.length} inputs; expected one`);
    return { name, layers, inputs, outputs: references(outputs) };
  }

  // Whether a layer is one of Keras' or of voc_seg's. Others may have the same name, such as the
  // operation `add`, whose class is called Add as well.
  function isKnown({ module, class_name: kind, registered_name: registered }) {
    const ours = registered?.startsWith("voc_seg>");
    const operation = module === "keras.src.ops.numpy" && (kind === "Flip" || kind === "GetItem");
    return ours || module === "keras.layers" || kind === "Functional" || operation;
  }

  // As Keras does it: BatchNormalization -> batch_normalization, Conv2D -> conv2d, ReLU -> re_lu.
  function snakeCase(name) {
    const words = name.replace(/(.)([A-Z][a-z]+)/g, "$1_$2");
    return words.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
  }

  // The tensors that a layer reads, one or a list of them, as [[name of a layer, which output]].
  function tensors(argument, name) {
    const list = Array.isArray(argument) ? argument : [argument];
    return list.map((tensor) => {
      const history = tensor?.config?.keras_history;
      if (!history) throw new Error(`its layer ${name} reads something that is not a tensor`);
      return [history[0], history[2]];
    });
  }

  // ["image", 0, 0], or a list of such, -> [["image", 0]].
  function references(list) {
    return (Array.isArray(list[0]) ? list : [list]).map(([name, , index]) => [name, index]);
  }

  function layerWeights(weights, folder) {
    const found = [];
    while (weights.has(`${folder}${found.length}`)) {
      found.push(weights.get(`${folder}${found.length}`));
    }
    return found;
  }

  // ------------------------------------------------------------------------------------- zip
  // The format: APPNOTE.TXT of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16.

  // -> a Map from the name of each part to where it is, from the directory at the file's end.
  function zipParts(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let end = bytes.length - 22;
    const last = Math.max(0, end - 65535); // a comment may follow
    while (end >= last && view.getUint32(end, true) !== 0x06054b50) end--;
    if (end < last) throw new Error("it is not a .keras file, or is cut off");
    const parts = new Map();
    let at = view.getUint32(end + 16, true);
    for (let i = 0; i < view.getUint16(end + 10, true); i++) {
      if (view.getUint32(at, true) !== 0x02014b50) throw new Error("its directory is damaged");
      const nameLength = view.getUint16(at + 28, true);
      const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
      parts.set(name, {
        name,
        method: view.getUint16(at + 10, true),
        checksum: view.getUint32(at + 16, true),
        packed: view.getUint32(at + 20, true),
        size: view.getUint32(at + 24, true),
        header: view.getUint32(at + 42, true),
      });
      at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    }
    return parts;
  }

  async function unzip(bytes, { name, method, checksum, packed, size, header }) {
    if (size > LARGEST) throw new Error(`its part ${name} has more than a gigabyte`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const start = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    const content = bytes.subarray(start, start + packed);
    if (method !== 0 && method !== 8) throw new Error(`its part ${name} is packed by method ${method}`);
    const data = method === 8 ? await inflate(content, size) : content;
    if (!data || data.length !== size || crc32(data) !== checksum) {
      throw new Error(`its part ${name} is damaged`);
    }
    return data;
  }

  // Stops as soon as there are more bytes than declared, so a bomb cannot fill the memory.
  async function inflate(content, size) {
    const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const reader = stream.getReader();
    const data = new Uint8Array(size);
    let length = 0;
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        if (length + part.value.length > size) return null;
        data.set(part.value, length);
        length += part.value.length;
      }
    } catch {
      return null;
    }
    return data.subarray(0, length);
  }

  function crc32(data) {
    const table = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      let value = i;
      for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
      table[i] = value;
    }
    let crc = 0xffffffff;
    for (let i = 0; i < data.length; i++) crc = (crc >>> 8) ^ table[(crc ^ data[i]) & 255];
    return (crc ^ 0xffffffff) >>> 0;
  }

  // ------------------------------------------------------------------------------------ HDF5
  // The format: "HDF5 File Format Specification Version 3.0" of The HDF Group. Only what h5py
  // writes for Keras: superblock version 0, groups as B-trees, datasets in one piece.

  // -> a Map from the path of each dataset to {shape, data}, data being a Float32Array.
  function hdf5Datasets(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const number = (at) => Number(view.getBigUint64(at, true));
    const signature = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
    const datasets = new Map();
    const seen = new Set(); // a damaged file may lead in circles

    function refuse(found) {
      throw new Error(`its weights are not in the form that Keras writes (${found})`);
    }

    function readObject(path, at) {
      if (path && !path.startsWith("layers")) return; // the optimizer's state
      if (seen.has(at)) refuse("a group leads in circles");
      seen.add(at);
      const messages = readMessages(at);
      if (messages.has(0x11)) {
        const group = messages.get(0x11);
        readTree(path, number(group), number(group + 8));
      } else if (messages.has(0x08)) {
        datasets.set(path, readDataset(path, messages));
      }
    }

    // -> a Map from the kind of each message in an object's header to where it begins.
    function readMessages(at) {
      if (bytes[at] !== 1) refuse(`an object header of version ${bytes[at]}`);
      const messages = new Map();
      const blocks = [[at + 16, view.getUint32(at + 8, true)]];
      for (let left = view.getUint16(at + 2, true); left > 0 && blocks.length; ) {
        let [place, size] = blocks.shift();
        for (const end = place + size; place + 8 <= end && left > 0; left--) {
          const kind = view.getUint16(place, true);
          const data = place + 8;
          if (kind === 0x10) blocks.push([number(data), number(data + 8)]); // continued there
          else messages.set(kind, data);
          place = data + view.getUint16(place + 2, true);
        }
      }
      return messages;
    }

    function readTree(path, tree, heap) {
      if (signature(tree) !== "TREE") refuse("a group without a tree");
      if (seen.has(tree)) refuse("a tree leads in circles");
      seen.add(tree);
      const names = number(heap + 24);
      for (let i = 0; i < view.getUint16(tree + 6, true); i++) {
        const child = number(tree + 32 + 16 * i);
        if (bytes[tree + 5] > 0) readTree(path, child, heap);
        else readEntries(path, child, names);
      }
    }

    function readEntries(path, node, names) {
      if (signature(node) !== "SNOD") refuse("a tree without entries");
      for (let i = 0; i < view.getUint16(node + 6, true); i++) {
        const entry = node + 8 + 40 * i;
        const start = names + number(entry);
        const name = new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
        readObject(path ? `${path}/${name}` : name, number(entry + 8));
      }
    }

    function readDataset(path, messages) {
      if (messages.has(0x0b)) refuse(`${path} is compressed`);
      const [space, type, layout] = [0x01, 0x03, 0x08].map((kind) => messages.get(kind));
      const rank = bytes[space + 1];
      const first = space + (bytes[space] === 1 ? 8 : 4);
      const shape = Array.from({ length: rank }, (_, i) => number(first + 8 * i));
      const width = view.getUint32(type + 4, true); // bytes of a number
      const count = shape.reduce((product, side) => product * side, 1);
      if ((bytes[type] & 15) !== 1) return { shape, data: null }; // a whole number, as a seed is
      if (bytes[type + 1] & 1) refuse(`${path} is big-endian`);
      if (bytes[layout] !== 3 || bytes[layout + 1] !== 1) refuse(`${path} is not in one piece`);
      if (count * width > number(layout + 10)) refuse(`${path} is cut off`);
      const start = number(layout + 2);
      if (start + count * width > bytes.length) refuse(`${path} is cut off`);
      const content = bytes.slice(start, start + count * width).buffer;
      const exponent = bytes[type + 13]; // its bits
      if (width === 4) return { shape, data: new Float32Array(content) };
      if (width === 8) return { shape, data: Float32Array.from(new Float64Array(content)) };
      if (width !== 2 || exponent !== 5) refuse(`${path} has numbers of ${width} bytes`);
      const table = halfTable();
      return { shape, data: Float32Array.from(new Uint16Array(content), (half) => table[half]) };
    }

    if (signature(0) !== "\x89HDF" || bytes[8] !== 0) refuse(`a superblock of version ${bytes[8]}`);
    readObject("", number(64));
    return datasets;
  }

  // The value of each of the 65,536 numbers in half precision. Worked out number by number, a
  // large model would take a third of a second.
  function halfTable() {
    return Float32Array.from({ length: 65536 }, (_, half) => {
      const sign = half & 0x8000 ? -1 : 1;
      const exponent = (half >> 10) & 31;
      const fraction = (half & 1023) / 1024;
      if (exponent === 0) return sign * fraction * 2 ** -14;
      if (exponent === 31) return fraction ? NaN : sign * Infinity;
      return sign * (1 + fraction) * 2 ** (exponent - 15);
    });
  }

  return { readKeras };
};
