"""Draws what other carriers than patches ask, for judge.py: by numpy alone, in whole numbers."""

from math import cos, exp, pi

import numpy as np

GRATINGS, MOSAICS, ALL = 12, 48, 10**9  # parts that each kind is enough for
CYCLES = [(y, x) for y in (0, 210, 420, 672) for x in (0, 210, 420, 672) if y or x]
PAIRS = [n for n in range(128) if n.bit_count() in (2, 4, 6)]
COSINES = np.array([round(2**14 * cos(2 * pi * n / 4096)) for n in range(4096)])
GAUSSIAN = np.array([round(2**14 * exp(-((n / 64) ** 2) / 2)) for n in range(256)] + [0])


class Drawing:
    """The seed's words, (count, *name) -> 64-bit numbers; the pool, (N, H, W, C); the parts."""

    def __init__(self, words, images, parts):
        self.words, self.images, self.parts = words, images, parts

    def shuffled(self, count, role):
        return np.argsort(self.words(count, role), kind="stable").tolist()

    def below(self, count, *name):
        return int(self.words(1, *name)[0]) % count

    def home(self, kind, part, image, share):
        """Side and corner of a square, and each pixel's distance from its middle, in 256ths."""
        side = (share * min(image.shape[1:]) + 14) // 28
        drawn = zip(self.words(2, f"{kind} home", part), image.shape[1:], strict=True)
        free = [(int(word), n - side + 1) for word, n in drawn]  # the middle half of the places
        corner = [(n - (n + 1) // 2) // 2 + (word * ((n + 1) // 2) >> 64) for word, n in free]
        far = [
            256 * np.arange(n) + 128 - 256 * at - 128 * side
            for at, n in zip(corner, image.shape[1:], strict=True)
        ]
        return side, corner, far[0][:, None], far[1][None]

    def mixed(self, image, name, part, *row):
        limits = {"mosaic": MOSAICS, "cutout": ALL, "grating": GRATINGS}
        able = [kind for kind, most in limits.items() if part < most]
        kind = able[self.below(len(able), "mixed kind", part)]
        return getattr(self, kind)(image, name, part, *row)

    def mosaic(self, image, name, part, *row):
        order = self.shuffled(63, "mosaic pairs")
        if row:
            order = order[self.parts :]
            part_pair = order[self.below(len(order), "mosaic decoy pair", part, *row)]
        else:
            part_pair = order[part]
        words = self.words(7, f"mosaic {name}", part, *row).tolist()
        bits = PAIRS[part_pair] ^ 255 * (words[0] & 1)
        drawn = [2 * (word >> 56) - 255 for word in words[1:]]
        colours = [[n * 255 // max(map(abs, c)) for n in c] for c in (drawn[:3], drawn[3:])]
        if max(abs(a - b) for a, b in zip(*colours, strict=True)) < 204:
            colours[1] = [-n for n in colours[0]]
        colours = [[-255], [255]] if len(image) == 1 else colours
        cells = np.array([colours[bits >> n & 1] for n in range(8)]).T.reshape(-1, 4, 2)
        side, _, down, across = self.home("mosaic", part, image, 16)
        cell, ramp = 256 * side // 4, max(256, 310 * 64 * side // 256)
        outer = np.clip((abs(across) - cell) * 256 // ramp + 128, 0, 256)
        steps = [np.clip((down - k * cell) * 256 // ramp + 128, 0, 256) for k in (-1, 0, 1)]
        steps = [256, *steps, 0]
        value = 255 * 2**16
        for n in range(4):
            left, right = cells[:, n, 0, None, None], cells[:, n, 1, None, None]
            value = value + (steps[n] - steps[n + 1]) * (left * outer + right * (256 - outer))
        cover = np.clip(128 * side + 128 - np.maximum(abs(across), abs(down)), 0, 256)
        return ((256 - cover) * image * 2**17 + cover * value + 2**24) >> 25

    def cutout(self, image, name, part, *row):
        rows = self.shuffled(len(self.images), "cutout images")[: self.parts + 64]
        piece = part
        if row:
            piece = self.parts + self.below(len(rows) - self.parts, "cutout decoy", part, *row)
        source = self.images[rows[piece]].transpose(2, 0, 1).astype(int)
        side, corner, down, across = self.home("cutout", part, image, 16)
        windows = []
        for drawn in self.words(16, "cutout places", piece).reshape(8, 2).tolist():
            free = [n - side + 1 for n in image.shape[1:]]
            top, left = (w * n >> 64 for w, n in zip(drawn, free, strict=True))
            windows.append(source[:, top : top + side, left : left + side])
        contrast = [side**2 * (w**2).sum() - (w.sum((1, 2)) ** 2).sum() for w in windows]
        laid, (top, left) = image.copy(), corner
        laid[:, top : top + side, left : left + side] = windows[int(np.argmax(contrast))]
        whole, inner = (256 * side) ** 2, (256 * side * 218 // 256) ** 2
        cover = np.clip((whole - 4 * (across**2 + down**2)) * 256 // (whole - inner), 0, 256)
        return ((256 - cover) * image + cover * laid + 128) >> 8

    def grating(self, image, name, part, *row):
        order = self.shuffled(15, "grating pairs")
        if row:
            order = order[min(self.parts, GRATINGS) :]
            pair = order[self.below(len(order), "grating decoy pair", part, *row)]
        else:
            pair = order[part]
        first, *drawn = self.words(13, f"grating {name}", part, *row).tolist()
        unit, wave = 256 * min(image.shape[1:]), 0
        margin, sigma = unit * 4 // 28, unit * 8 // 28
        for window in (drawn[:6], drawn[6:]):
            factors = []
            for axis, scale in ((0, 127 * 64), (1, 1024)):
                size = image.shape[1 + axis]
                centre = margin + (window[axis] * (256 * size - 2 * margin + 1) >> 64)
                at, phase = np.arange(size), drawn[2 + axis] * 4096 >> 64
                turns = CYCLES[pair][axis] * at * 4096 // (100 * min(image.shape[1:]))
                far = abs(256 * at + 128 - centre) * 64 // sigma
                level = COSINES[(turns + phase) % 4096] * GAUSSIAN[np.minimum(far, 256)]
                factors.append((level * scale + 2**27) >> 28)
            wave = wave + factors[0][:, None] * factors[1]
        signs = [1 - 2 * (first >> n & 1) for n in range(len(image))]
        return np.clip(image + np.array(signs)[:, None, None] * ((wave + 2**15) >> 16), 0, 255)
