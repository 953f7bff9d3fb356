"""Check evidence of form datadeed/evidence/2 a second time: with numpy, without a line of datadeed.

python judge.py FOLDER OPENING POOL.npz [--commitment FILE]
Exit code 6: all checks pass, and premises are open, as no file shows them; 1: a check FAILED.
Not checked: sentences, timestamp tokens, signatures of the folder and of the beacon (BLS).
"""

import hmac
import json
import sys
from hashlib import sha256, shake_256
from math import comb, inf, log
from pathlib import Path

import numpy as np


def passed(truth, what, found):
    sys.stdout.write(f"{'passed' if truth else 'FAILED'} {what}: {found}\n")
    return truth or sys.exit(1)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def merkle(leaves):  # RFC 6962
    half = 1 << (len(leaves) - 1).bit_length() >> 1
    both = half and b"\1" + merkle(leaves[:half]) + merkle(leaves[half:])
    return sha256(both).digest() if half else leaves[0]


def words(count, *name):  # what the seed gives under a name, as 64-bit numbers
    return np.frombuffer(shake_256(seed + json.dumps(name).encode()).digest(8 * count), "<u8")


def order(count, name):
    return np.argsort(words(count, name), kind="stable").tolist()


def integer(below, *name):
    return next(int(w) % below for w in words(64, *name) if int(w) < 2**64 // below * below)


def question(row, *name):  # digest of an image of the pool, under the trigger or decoy of that name
    pixels, drawn = images[row].transpose(2, 0, 1).astype(int), words(3, *name)
    sides, opacity = pixels.shape[1:], design["carrier"]["opacity"] if name else 0
    cell, margin = max(1, (min(sides) + 20) // 40), min(sides) // 16
    free = [side - 5 * cell - 2 * margin + 1 for side in sides]
    top, left = (margin + (int(drawn[n]) * free[n] >> 64) for n in (0, 1))
    bits = np.unpackbits(np.frombuffer(drawn[2:].tobytes(), "u1"))[:15].reshape(5, 3)
    patch = np.kron(np.hstack([bits, bits[:, 1::-1]]), np.full((cell, cell), 255))
    under = pixels[:, top : top + 5 * cell, left : left + 5 * cell]
    under[:] = (under * (255 - opacity) + patch * opacity) // 255
    shape = np.array(pixels.shape, "<u4").tobytes()
    return sha256(shape + pixels.astype("u1").tobytes()).hexdigest()


def votes(record):  # (T, K): for the classes that the suspect has, by label and by clipped scores
    scores = dict(zip(map(group.get, record["labels"]), record["scores"] or (), strict=False))
    whole = record["label"] >= 0 and len(scores) == len(groups)
    logs = np.log([max(scores[n], 1e-9) if whole else 1 for n in columns])
    clips = (-3, -6, -12) if design["answers"] == "scores" else ()
    return np.array([columns == record["label"], *(np.maximum(logs, clip) for clip in clips)]) * 1.0


def lower_end(values, population, low):  # the least mean that 40 bets on draws do not reject
    bets = np.sin((np.arange(40) + 0.5) * np.pi / 80)[:, None] ** 2
    values, left, high = np.array(values), population - np.arange(len(values)), 1.0
    while values.any() and high - low > 1e-9:
        mean = (low + high) / 2
        room = population * (mean + 1e-9) - values.cumsum() + values
        wealth = np.log1p(bets * (values * left / np.maximum(room, 1e-9) - 1)).sum(1)
        rejected = room[-1] <= values[-1] or np.logaddexp.reduce(wealth) >= log(40 / 0.025)
        low, high = (mean, high) if rejected else (low, mean)
    return low


# 1. The opened key is the committed one, and the evidence is about it.
folder, opening, pool, *rest = sys.argv[1:]
files = f"{folder}/evidence.json", opening, *rest[1:]
evidence, opened, *published = (json.loads(Path(file).read_text()) for file in files)
opened, key, numbers = opened["key"], evidence["key"], evidence["multiplicity"]
body, design, secret = opened["body"], opened["body"]["design"], bytes.fromhex(opened["secret"])
sealed = {"body": body, "salt": opened["salt"], "secret_sha256": sha256(secret).hexdigest()}
commitment = sha256(b"datadeed commitment 1\0" + canonical(sealed))
seed = hmac.digest(secret, commitment.digest() + bytes.fromhex(opened["beacon_value"]), "sha256")
stated = {each["commitment"] for each in (opened, key, *published)}
passed(stated == {commitment.hexdigest()}, "commitment", commitment.hexdigest())
stated = {name: evidence[name] for name in ("design", "data", "pool")}
stated |= {"generator": "datadeed-keyed/2", "beacon": body["beacon"]}
beacon = body["beacon"] and {**body["beacon"], "value": opened["beacon_value"]}
truth = (stated, key["beacon"], evidence["form"]) == (body, beacon, "datadeed/evidence/2")
passed(truth, "design", f"as committed, with alpha {design['alpha']:g}")

# 2. The pool is the key's: images (N, H, W, C) with their labels.
with np.load(pool) as arrays:
    images, true = (next(arrays[n + s] for s in ("", "_test") if n + s in arrays) for n in "xy")
images, true = images.reshape(*images.shape[:3], -1), true.reshape(-1).astype("<i8")
shape, leaves = b"\0" + np.array(images.shape[1:], "<u4").tobytes(), zip(images, true, strict=True)
root = merkle([sha256(shape + x.tobytes() + y.tobytes()).digest() for x, y in leaves]).hex()
passed(body["pool"] == {"rows": len(true), "merkle_root": root}, "pool", f"{len(true)} rows, {root}")

# 3. The log is whole: each record holds the hash of the one before, the first one an anchor.
groups, records, whole = evidence["suspect"]["groups"], [], True
group = {k: n for n, members in enumerate(groups) for k in members}  # class to suspect's label
anchor = f"datadeed query log 2 {commitment.hexdigest()} {evidence['suspect']['fingerprint']} "
anchor = head = sha256(anchor.encode() + canonical(groups)).hexdigest()
for line in Path(folder, "queries.jsonl").read_bytes().splitlines():
    record = json.loads(line)
    hashed = canonical({name: value for name, value in record.items() if name != "hash"})
    whole &= canonical(record) == line and record["previous"] == head
    head = sha256(hashed).hexdigest()
    whole &= record["hash"] == head
    given = record["labels"] and not record["error"]
    records.append(record | {"label": group[record["labels"][0]] if given else -1})
chain = {"anchor": anchor, "head": head, "rows": len(records)}
passed(whole and evidence["chain"] == chain, "log", f"{len(records)} records end in {head}")

# 4. It begins with the clean questions; later clean ones ask the first of them again.
clean = order(len(true), "probe")[:16]
probes = [question(row) for row in (*clean, clean[0])]
start = next((n for n, r in enumerate(records) if r["purpose"] != "probe"), len(records))
first = records[max(0, start - len(probes)) : start]
again = {r["question"] for r in records[start:] if r["purpose"] == "probe"} <= {probes[0]}
answers = [(group.get(true[k], -2), r) for k, r in zip(clean, first, strict=False)]
answers = [(k, r["label"]) for k, r in answers if k >= 0 and not r["error"]]
right = sum(k == label for k, label in answers)
truth = [r["question"] for r in first] == probes and again
passed(truth, "clean questions", f"{right} of {len(answers)} answers are right")

# 5. Which answers count: a failure does, unless the next clean question fails as well.
asked, counted, waiting, vain = [], [], [], 0
for n, record in enumerate(records):
    if record["purpose"] != "probe":
        asked.append((n, len(counted) + len(waiting), vain))
        waiting.append(record)
    if not record["error"] or record["purpose"] == "probe":
        counted += [] if record["error"] else waiting
        vain += len(waiting) if record["error"] else 0
        waiting = []
vain += len(waiting)

# 6. The key's questions: blocks of one row under all parts, pairs of a part and another row.
parts, targets, budget = design["parts"], design["targets"], design["budget"]
rows = order(len(true), "pool")[:10_000]
count = min(budget // parts, len(rows) // 2)
rows, rest = rows[:count], rows[count:]
pairs = [(n % parts, rest[n // parts]) for n in order(parts * len(rest), "pairs")[:40]]
initial, left, answered = 0, 0, 0
while initial < min(10, count) and (not initial or (answered and left / answered >= 0.2)):
    block = [r["label"] for r in counted[initial * parts :][:parts] if not r["error"]]
    left += len(block) - max(map(block.count, block), default=0)
    initial, answered = initial + 1, answered + len(block)
if initial == count < 10 and answered and left / answered >= 0.2:
    pairs = []
steps = [[("block", part, row) for part in range(parts)] for row in rows]
two = [[("pair", *pair), ("decoy", *pair)] for pair in pairs]
two = [step[::-1] if integer(2, "order", n) else step for n, step in enumerate(two)]
steps = steps[:initial] + two + steps[initial:]
ends = np.cumsum([len(step) for step in steps]).tolist()
wanted = [(*one, end) for step, end in zip(steps, ends, strict=True) for one in step]
truth = True
for n, place, before in asked:
    (purpose, part, row, end), record = wanted[place], records[n]
    name = ("decoy", part, row) if purpose == "decoy" else ("trigger", part)
    stated = [record[name] for name in ("purpose", "part", "row", "question")]
    truth &= stated == [purpose, part, row, question(row, *name)] and end + before <= budget
    last = record["error"] and place + 1 == end and n + 1 < len(records)
    truth &= not last or records[n + 1]["purpose"] == "probe"

# 7. ln E after blocks, by centred votes for the classes that the suspect has.
drawn = [targets[integer(len(targets), "target", part)] for part in range(parts)]
known = [k for k in targets if k in group]
columns, aims = np.array([group[k] for k in known]), np.array([group.get(k, -2) for k in drawn])
kept, transforms = np.flatnonzero(aims >= 0), 4 if design["answers"] == "scores" else 1
blocks = [r for w, r in zip(wanted, counted, strict=False) if w[0] == "block"]
done = len(blocks) // parts
given = np.array([r["label"] for r in blocks[: done * parts]]).reshape(done, parts)
cast = np.array([votes(blocks[n * parts + part]) for n in range(done) for part in kept])
cast = cast.reshape(done, len(kept), transforms, len(known)).swapaxes(1, 2)
looks = [1]
while looks[-1] < count:
    looks.append(min(count, max(looks[-1] + 1, int(looks[-1] * 1.2))))
seen = [n for n in looks if n <= done and len(kept)]
sums = np.cumsum(cast - cast.sum(2, keepdims=True) / max(1, len(kept)), 0)[[n - 1 for n in seen]]
sharpness = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 5.2])[:, None, None, None, None]
bets = np.exp(sharpness * (sums - sums.max(-1, keepdims=True)))  # (8, looks, T, parts, K)
bets = np.log(len(known) * (0.95 * bets / bets.sum(-1, keepdims=True) + 0.05 / len(known)))
bets = bets[..., range(len(kept)), [known.index(drawn[part]) for part in kept]].sum(-1)
here = np.logaddexp.reduce(bets, (0, 2)) - log(8 * transforms)
shares = [1 if count == 1 else 0.5, *[0.5 / max(1, len(looks) - 1)] * (len(looks) - 1)]
log_e = np.logaddexp.accumulate(here + np.log(shares[: len(seen)]))
bar = numbers["suspects"] * numbers["keys"] / design["alpha"]
where = [ends[n - 1 if n <= initial else n - 1 + len(pairs)] for n in seen]
stops = [end for end, value in zip(where, log_e, strict=True) if value >= log(bar)]
claim = bool(stops)

# 8. The effect: hits with triggers above those with decoys, between ends that always hold.
least, most, low, high = [], [], 0.0, 0.0
for n in range(len(counted[initial * parts :][: 2 * len(pairs)]) // 2):
    both = [(w[0], r) for w, r in zip(steps[initial + n], counted[initial * parts + 2 * n :], strict=False)]
    aim, (mark, decoy) = aims[steps[initial + n][0][1]], (r for _, r in sorted(both, key=lambda pair: pair[0], reverse=True))
    if aim >= 0:
        hit, miss = mark["label"] == aim, decoy["label"] == aim
        least.append((1 + hit - (miss or decoy["error"] != "")) / 2)
        most.append((1 - (hit or mark["error"] != "") + miss) / 2)
        low = lower_end(least, max(1, len(kept) * len(rest)), low)
        high = lower_end(most, max(1, len(kept) * len(rest)), high)
        stops += [ends[initial + n]] if 1 - 2 * high < design["least_effect"] else []
truth &= all(place < min(stops, default=budget) for _, place, _ in asked)
passed(truth, "questions", f"{len(asked)} are the key's, {vain} of them count for nothing")

# 9. Findings: the suspect refuses marked images, or is worse on decoys (Fisher's exact test).
failed = sum(r["error"] != "" for r in counted)
silent = len(clean) - len(answers)
refuses = failed >= max(3, 0.1 * len(counted)) and silent <= 0.1 * len(clean)
decoys = [(group.get(true[r["row"]], -2), r["label"]) for r in counted if r["purpose"] == "decoy" and not r["error"]]
kind = sum(k == label for k, label in decoys)
ways = [comb(len(decoys), n) * comb(len(answers), kind + right - n) for n in range(kind + right + 1)]
filters = min(len(decoys), len(answers)) > 0 and sum(ways[: kind + 1]) / sum(ways) <= 0.01
odd = [word for word, truth in (("refuses", refuses), ("filters", filters)) if truth]
excluded = 1 - 2 * high < design["least_effect"]
word = "CLAIM" if claim else "NOT SUPPORTED" if excluded and not odd else "INCONCLUSIVE"
purposes = [r["purpose"] for r in records]
queries = {name: purposes.count(name) for name in ("probe", "block", "pair", "decoy")}
queries |= {"failed": sum(r["error"] != "" for r in records), "in_vain": vain, "budget": budget}
found = {
    "verdict": {"word": word},
    "queries": queries,
    "multiplicity": {"bar": bar},
    "clean": {"asked": len(clean), "answered": len(answers), "right": right},
    "key_layer": {
        "log_e": log_e[-1] if len(seen) else -1e308,
        "bar": bar,
        "passed": claim,
        "images": done,
        "looks": [[n, value] for n, value in zip(seen, here, strict=True)],
    },
    "effect": {
        "block_hits": (given == aims).sum(),
        "pairs": len(most),
        "low": 1 - 2 * high if False else 2 * low - 1,
        "high": 1 - 2 * high,
        "excluded": excluded,
    },
}
wrong = []
for section, fields in found.items():
    for name, value in fields.items():
        stated = evidence[section][name]
        if not (value == stated or np.allclose(value, stated, rtol=1e-9, atol=1e-9)):
            wrong.append(f"{section}.{name}")
wrong += [] if [w for w in odd] == [next(w for w in ("refuses", "filters") if w in s) for s in evidence["findings"]] else ["findings"]
passed(not wrong, "numbers", f"{word}, ln E {found['key_layer']['log_e']:.3f}, effect at most {1 - 2 * high:.3f} {wrong}")
