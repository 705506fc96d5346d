"""Chapter 6: count what is trained."""


def count_trainable(layers):
    total = 0
    for layer in layers:
        if not layer["trainable"]:
            continue
        if layer["kind"] == "convolution":
            total += layer["size"] ** 2 * layer["inputs"] * layer["filters"]
            total += layer["filters"] if layer["bias"] else 0
        else:
            total += 2 * layer["channels"]
    return total
