"""Chapter 4: how many stamps each place gets."""


def overlap_counts(size, layers):
    counts = [1] * size
    for kernel, stride in layers:
        out = [0] * (len(counts) * stride + max(kernel - stride, 0))
        for i, count in enumerate(counts):
            for j in range(kernel):
                out[i * stride + j] += count
        counts = out
    return counts
