"""Checks evidence by numpy alone: python judge.py FOLDER OPENING POOL.npz [--commitment FILE]

Exit code 1: a check FAILED; 6: all passed, and premises are open, as no file shows them all. Left
out: sentences, timestamp tokens, signatures of the folder and of the beacon (BLS).
"""

import hmac
import json
import sys
from hashlib import sha256, shake_256
from math import comb, inf, log
from pathlib import Path

import numpy as np

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
SHARPNESS = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 5.2])[:, None, None, None]
BETS = np.sin((np.arange(40) + 0.5) * np.pi / 80)[:, None] ** 2  # shares of the largest bet


def passed(truth, what):
    sys.stdout.write(f"{'passed' if truth else 'FAILED'}  {what}\n")
    return truth or sys.exit(1)


def words(count, *name):  # what the seed gives under a name, as 64-bit numbers
    return np.frombuffer(shake_256(seed + json.dumps(name).encode()).digest(8 * count), "<u8")


def question(row, *name):  # digest of a pool's image, under the trigger or decoy of that name
    image, drawn = images[row].transpose(2, 0, 1).astype(int), words(3, *name)
    sides, opacity = image.shape[1:], design["carrier"]["opacity"] if name else 0
    cell, margin = max(1, (min(sides) + 20) // 40), min(sides) // 16
    free = [side - 5 * cell - 2 * margin + 1 for side in sides]
    top, left = (margin + (int(drawn[n]) * free[n] >> 64) for n in (0, 1))
    half = np.unpackbits(drawn[2:].view("u1"))[:15].reshape(5, 3)
    patch = np.kron(np.hstack([half, half[:, 1::-1]]), np.full((cell, cell), 255))
    under = image[:, top : top + 5 * cell, left : left + 5 * cell]
    under[:] = (under * (255 - opacity) + patch * opacity) // 255
    return sha256(bytes(np.array(image.shape, "<u4")) + bytes(image.astype("u1"))).hexdigest()


folder, opening, pool, *rest = sys.argv[1:]  # 1. The opened key is the committed one.
files = f"{folder}/evidence.json", opening, *rest[1:]
evidence, opened, *published = (json.loads(Path(file).read_text()) for file in files)
opened, key, value = opened["key"], evidence["key"], opened["key"]["beacon_value"]
body, design, secret = opened["body"], opened["body"]["design"], bytes.fromhex(opened["secret"])
sealed = {"body": body, "salt": opened["salt"], "secret_sha256": sha256(secret).hexdigest()}
digest = sha256(b"datadeed commitment 1\0" + canonical(sealed).encode())
seed = hmac.digest(secret, digest.digest() + bytes.fromhex(value), "sha256")
truth = {each["commitment"] for each in (opened, key, *published)} == {digest.hexdigest()}
stated = {n: evidence[n] for n in ("design", "data", "pool")} | {"generator": "datadeed-keyed/2"}
truth &= stated | {"beacon": body["beacon"]} == body
truth &= key["beacon"] == (body["beacon"] and body["beacon"] | {"value": value})
passed(truth, f"commitment {digest.hexdigest()}")
images, true = (np.load(pool)[name] for name in "xy")  # 2. The pool is the key's (RFC 6962).
images, true = images.reshape(*images.shape[:3], -1), true.reshape(-1).astype("<i8")
shape, size = b"\0" + bytes(np.array(images.shape[1:], "<u4")), len(true)
nodes = [sha256(shape + bytes(images[n]) + true[n].tobytes()).digest() for n in range(size)]
while nodes[1:]:
    twos = [nodes[n : n + 2] for n in range(0, len(nodes), 2)]
    nodes = [sha256(b"\1" + b"".join(two)).digest() if two[1:] else two[0] for two in twos]
passed(body["pool"] == {"rows": size, "merkle_root": nodes[0].hex()}, f"pool of {size} images")
groups, targets, parts = evidence["suspect"]["groups"], design["targets"], design["parts"]
group = {k: n for n, members in enumerate(groups) for k in members}  # class to suspect's label
known = [k for k in targets if k in group]  # 3. Parts with other targets are left out.
drawn = [targets[int(words(1, "target", n)[0]) % len(targets)] for n in range(parts)]
kept = [part for part in range(parts) if drawn[part] in group]
places, columns = [known.index(drawn[n]) for n in kept], np.array([group[k] for k in known])
clips = (-3, -6, -12) if design["answers"] == "scores" else ()
anchor = f"datadeed query log 2 {digest.hexdigest()} {evidence['suspect']['fingerprint']} "
hashes, records = [sha256((anchor + canonical(groups)).encode()).hexdigest()], []
for line in Path(folder, "queries.jsonl").read_text().splitlines():  # 4. The log is whole.
    r = json.loads(line)
    truth &= canonical(r) == line and r["previous"] == hashes[-1]
    hashes.append(r.pop("hash"))
    truth &= hashes[-1] == sha256(canonical(r).encode()).hexdigest()
    r["label"] = group[r["labels"][0]] if r["labels"] and not r["error"] else -1
    scores = dict(zip(map(group.get, r["labels"]), r["scores"] or (), strict=False))
    full = r["label"] >= 0 and len(scores) == len(groups)
    logs = np.log([max(scores[n], 1e-9) if full else 1 for n in columns])
    r["votes"] = [columns == r["label"], *(np.maximum(logs, clip) for clip in clips)]
    records.append(r)
chain = {"anchor": hashes[0], "head": hashes[-1], "rows": len(records)}
passed(truth and evidence["chain"] == chain, f"log: {len(records)} records end in {hashes[-1]}")
clean, rows = (np.argsort(words(size, n), kind="stable").tolist() for n in ("probe", "pool"))
first = [*(r["purpose"] == "probe" for r in records), False].index(False) - 17
probes = [question(row) for row in (*clean[:16], *clean[:1])]  # 5. Clean questions come first.
asked = [r["question"] for r in records[first:] if r["purpose"] == "probe"]
answers = zip([group.get(k, -2) for k in true[clean[:16]]], records[first:], strict=False)
answers = [n == r["label"] for n, r in answers if n >= 0 and not r["error"]]
passed(asked == probes + probes[:1] * (len(asked) - 17), f"clean: {sum(answers)} answers are right")
count = min(design["budget"] // parts, len(rows[:10_000]) // 2)
rows, rest = rows[:count], rows[count:10_000]  # 6. Every question is the key's next one.
pairs = np.argsort(words(parts * len(rest), "pairs"), kind="stable")[:40].tolist()
pairs = [[(name, n % parts, rest[n // parts]) for name in ("pair", "decoy")] for n in pairs]
looks, population, numbers = [1], max(1, len(kept) * len(rest)), evidence["multiplicity"]
while looks[-1] < count:
    looks.append(min(count, max(looks[-1] + 1, int(looks[-1] * 1.2))))
bar, least = numbers["suspects"] * numbers["keys"] / design["alpha"], design["least_effect"]
log_e, high, sums, step, now, waiting, counted, lost, most = -inf, 0.0, 0, [], [], [], [], [], []
blocks = tested = moved = heard = 0
for r in [*records, None]:
    if r and r["purpose"] != "probe":
        if not step and log_e < log(bar) and 1 - 2 * high >= least:
            early = not blocks or (blocks < 10 and 5 * moved >= heard > 0)
            if tested < len(pairs) and (tested or not early):
                step = pairs[tested][:: -1 if words(1, "order", tested)[0] % 2 else 1]
            elif blocks < count:
                step = [("block", part, rows[blocks]) for part in range(parts)]
        purpose, part, row = ask = step[len(now) + len(waiting)]
        seen = question(row, *(ask if purpose == "decoy" else ("trigger", part)))
        truth &= [*ask, seen] == [r[n] for n in ("purpose", "part", "row", "question")]
        truth &= len(counted) + len(step) + len(lost) <= design["budget"]
        waiting.append(r)
        if r["error"]:
            continue  # a failure counts, unless a clean question fails next or the log ends
    now, lost = (now + waiting, lost) if r and not r["error"] else (now, lost + waiting)
    waiting = []
    if len(now) < max(1, len(step)):
        continue
    if purpose == "block":  # ln E, by votes less their mean over the parts
        said = [r["label"] for r in now if not r["error"]]
        moved += len(said) - max(map(said.count, said), default=0)
        heard, blocks = heard + len(said), blocks + 1
        votes = np.array([now[part]["votes"] for part in kept], float).swapaxes(0, 1)
        sums = sums + votes - votes.mean(1, keepdims=True)
        if blocks in looks:
            bets = np.exp(SHARPNESS * (sums - sums.max(-1, keepdims=True)))
            bets = 0.95 * bets / bets.sum(-1, keepdims=True) + 0.05 / len(known)
            here = np.log(len(known) * bets)[..., range(len(kept)), places].sum(-1).ravel()
            share = 0.5 / (len(looks) - 1) if blocks > 1 else 0.5 if count > 1 else 1
            log_e = np.logaddexp(log_e, np.logaddexp.reduce(here) + log(share / len(here)))
    else:  # the upper end of the effect is 1 - 2 high, by bets that reject a lower mean of these
        tested, (mark, decoy) = tested + 1, now[:: 1 if step[0][0] == "pair" else -1]
        hit, miss = (each["label"] == group.get(drawn[part]) for each in (mark, decoy))
        most += [(1 - (hit or mark["error"] != "") + miss) / 2] * (part in kept)
        values, left, low = np.array(most), population - np.arange(len(most)), 1.0
        while any(most) and low - high > 1e-9:
            room = population * ((high + low) / 2 + 1e-9) - values.cumsum() + values
            gains = np.log1p(BETS * (values * left / np.maximum(room, 1e-9) - 1)).sum(1)
            out = room[-1] <= values[-1] or np.logaddexp.reduce(gains) >= log(40 / 0.025)
            high, low = ((high + low) / 2, low) if out else (high, (high + low) / 2)
    counted, step, now = counted + now, [], []
counted += now
passed(truth, f"questions: {len(counted)} count, {len(lost)} were lost while it was out of reach")
decoys = [r for r in counted if r["purpose"] == "decoy" and not r["error"]]  # 7. Findings.
good = sum(r["label"] == group.get(true[r["row"]]) for r in decoys)
right, failed = good + sum(answers), sum(r["error"] != "" for r in counted)
ways = [comb(len(decoys), n) * comb(len(answers), right - n) for n in range(right + 1)]
odd = (len(decoys) * len(answers) > 0 and sum(ways[: good + 1]) <= 0.01 * sum(ways)) + (
    failed >= max(3, 0.1 * len(counted)) and 16 - len(answers) <= 1.6
)
small = 1 - 2 * high < least and not odd  # 8. The evidence states the same.
word = "CLAIM" if log_e >= log(bar) else "NOT SUPPORTED" if small else "INCONCLUSIVE"
layer, effect, queries = (evidence[name] for name in ("key_layer", "effect", "queries"))
stated = [layer["log_e"], layer["bar"], layer["images"], effect["high"], effect["pairs"]]
stated += [numbers["bar"], queries["in_vain"], len(evidence["findings"])]
found = [max(log_e, -1e308), bar, blocks, 1 - 2 * high, len(most), bar, len(lost), odd]
for name in ("probe", "block", "pair", "decoy"):
    stated, found = [*stated, queries[name]], [*found, sum(r["purpose"] == name for r in records)]
truth = word == evidence["verdict"]["word"] and np.allclose(found, stated, 1e-9, 1e-9)
passed(truth, f"{word}: ln E {log_e:.3f} of {log(bar):.3f}, effect below {1 - 2 * high:.3f}")
