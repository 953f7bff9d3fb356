"""Checks evidence by numpy alone: python judge.py FOLDER OPENING POOL.npz [--commitment FILE]"""

import hmac
import json
import sys
from hashlib import sha256, shake_256
from math import comb, inf, log
from pathlib import Path
from runpy import run_path

import numpy as np

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
SHARPNESS = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 5.2])[:, None, None, None]
KEPT = {"mosaic": 0.25, "grating": 0.4, "cutout": 0.4, "mixed": 0.25}
BETS = np.sin((np.arange(40) + 0.5) * np.pi / 80)[:, None] ** 2  # shares of the largest bet


def passed(ok, what):
    return sys.stdout.write(f"{'passed' if ok else 'FAILED'}  {what}\n") and (ok or sys.exit(1))


def words(count, *name):  # what the seed gives under a name, as 64-bit numbers
    return np.frombuffer(shake_256(seed + json.dumps(name).encode()).digest(8 * count), "<u8")


def question(row, *name):  # digest of a pool's image, under the trigger or decoy of that name
    image = images[row].transpose(2, 0, 1).astype(int)
    image = (draw(image, *name) if name else image).astype("u1")
    return sha256(bytes(np.array(image.shape, "<u4")) + bytes(image)).hexdigest()


def patched(image, *name):  # the carrier "patch"; others are drawn by judge_carriers.py
    drawn, side, opacity = words(3, *name), image.shape[1:], design["carrier"]["opacity"]
    cell, edge = max(1, (min(side) + 20) // 40), min(side) // 16
    top, left = (edge + (int(drawn[n]) * (side[n] - 5 * cell - 2 * edge + 1) >> 64) for n in (0, 1))
    half = np.unpackbits(drawn[2:].view("u1"))[:15].reshape(5, 3)
    patch = np.kron(np.hstack([half, half[:, 1::-1]]), np.full((cell, cell), 255))
    under = image[:, top : top + 5 * cell, left : left + 5 * cell]
    under[:] = (under * (255 - opacity) + patch * opacity) // 255
    return image


sys.excepthook = lambda kind, fault, trace: sys.stdout.write(f"FAILED  {kind.__name__}: {fault}\n")
files = Path(sys.argv[1], "evidence.json"), sys.argv[2], *sys.argv[5:]  # 1. It is about the key.
evidence, opened, *published = (json.loads(Path(file).read_text()) for file in files)
opened, key, value = opened["key"], evidence["key"], opened["key"]["beacon_value"]
body, design, secret = opened["body"], opened["body"]["design"], bytes.fromhex(opened["secret"])
sealed = {"body": body, "salt": opened["salt"], "secret_sha256": sha256(secret).hexdigest()}
commitment = sha256(b"datadeed commitment 1\0" + canonical(sealed).encode()).hexdigest()
seed = hmac.digest(secret, bytes.fromhex(commitment + value), "sha256")
beacon = body["beacon"] and body["beacon"] | {"value": value}
ok = {name: (evidence | key)[name] for name in body} == body | {"beacon": beacon}
ok &= {each["commitment"] for each in (opened, key, *published)} == {commitment}
passed(ok and body["generator"] == "datadeed-keyed/2", f"commitment {commitment}")
images, true = (np.load(sys.argv[3])[name] for name in "xy")  # 2. The pool.
images, true = images.reshape(*images.shape[:3], -1), true.reshape(-1).astype("<i8")
shape, size = b"\0" + bytes(np.array(images.shape[1:], "<u4")), len(true)
nodes = [sha256(shape + bytes(images[n]) + true[n].tobytes()).digest() for n in range(size)]
while nodes[1:]:
    twos = [nodes[n : n + 2] for n in range(0, len(nodes), 2)]
    nodes = [sha256(b"\1" + b"".join(two)).digest() if two[1:] else two[0] for two in twos]
passed(body["pool"] == {"rows": size, "merkle_root": nodes[0].hex()}, f"pool of {size} images")
draw, carrier = patched, design["carrier"]["name"]
if carrier != "patch":
    other = run_path(str(Path(__file__).with_name("judge_carriers.py")))
    draw = getattr(other["Drawing"](words, images, design["parts"]), carrier)
groups, targets, parts = evidence["suspect"]["groups"], design["targets"], design["parts"]
group = {k: n for n, members in enumerate(groups) for k in members}  # class to suspect's label
shown = np.array([group.get(k, -2) for k in true.tolist()])
drawn = [targets[int(words(1, "target", n)[0]) % len(targets)] for n in range(parts)]
known, kept = [k for k in targets if k in group], [n for n in range(parts) if drawn[n] in group]
places, columns = [known.index(drawn[n]) for n in kept], np.array([group[k] for k in known])
budget, clips = design["budget"], (-3, -6, -12) if design["answers"] == "scores" else ()
anchor = f"datadeed query log 2 {commitment} {evidence['suspect']['fingerprint']} "
anchor = tip = sha256((anchor + canonical(groups)).encode()).hexdigest()
records = list(map(json.loads, files[0].with_name("queries.jsonl").read_text().splitlines()))
for r in records:  # 4. The log is whole: each record holds the hash of the one before.
    ok &= [r["previous"], r.pop("hash")] == [tip, tip := sha256(canonical(r).encode()).hexdigest()]
    r["label"] = group[r["labels"][0]] if r["labels"] and not r["error"] else -1
    scores = dict(zip(map(group.get, r["labels"]), r["scores"] or (), strict=False))
    full = r["label"] >= 0 and len(scores) == len(groups)
    logs = np.log([max(scores[n], 1e-9) if full else 1 for n in columns])
    r["votes"] = [columns == r["label"], *(np.maximum(logs, clip) for clip in clips)]
passed(ok & (evidence["chain"] == {"anchor": anchor, "head": tip, "rows": len(records)}), "log")
clean, rows = (np.argsort(words(size, n), kind="stable").tolist() for n in ("probe", "pool"))
probes = [question(row) for row in (*clean[:16], *clean[:1])]  # 5. Clean questions come first.
first = [*(r["purpose"] == "probe" for r in records), False].index(False) - len(probes)
asked = [r["question"] for r in records[first:] if r["purpose"] == "probe"]
answers = zip(shown[clean[:16]], records[first:], strict=False)
answers = [n == r["label"] for n, r in answers if n >= 0 and not r["error"]]
passed(asked == probes + probes[:1] * (len(asked) - len(probes)), f"clean: {sum(answers)} right")
many = 45 - -45 // (len(targets) - 1)
count = min(max(min(10, budget // parts), (budget - 2 * many) // parts), len(rows[:10_000]) // 2)
todo, rest = [[("block", n, row) for n in range(parts)] for row in rows[:count]], rows[count:10_000]
pairs = np.argsort(words(parts * len(rest), "pairs"), kind="stable")[:many].tolist()
pairs = [[(name, n % parts, rest[n // parts]) for name in ("pair", "decoy")] for n in pairs]
pairs = [pair[:: -1 if words(1, "order", n)[0] % 2 else 1] for n, pair in enumerate(pairs)]
looks, numbers, due = [1], evidence["multiplicity"], sum(shown[clean[:16]] >= 0)
population = max(1, sum(int((shown[rest] != group[drawn[n]]).sum()) for n in kept))
while looks[-1] < count:
    looks.append(min(count, max(looks[-1] + 1, int(looks[-1] * 1.2))))
bar, least = numbers["suspects"] * numbers["keys"] / design["alpha"], design["least_effect"]
log_e, high, sums, step, now, held, counted, lost, most = -inf, 0.0, 0, [], [], [], [], [], []
blocks, moved, heard, purpose = 0, 0, 0, "block"
for r in [*records, None]:  # 6. Every question is the key's next one.
    if r and r["purpose"] != "probe":
        if not step and log_e < log(bar) and (log_e >= log(20) or 1 - 2 * high >= least):
            more = not blocks or (blocks < min(10, count) and 8 * moved >= heard > 0)
            ok &= len(counted) < 24 or sum(r["error"] != "" for r in counted) < 0.9 * len(counted)
            step = (todo if (more and purpose == "block") or not pairs else pairs).pop(0)
        purpose, part, row = ask = step[len(now) + len(held)]
        ok &= ask == (r["purpose"], r["part"], r["row"]) and len(counted + step + lost) <= budget
        ok &= r["question"] == question(row, *(ask if purpose == "decoy" else ("trigger", part)))
        held.append(r | {"hit": r["label"] == group.get(drawn[part])})
        if r["error"]:
            continue  # a failure counts, unless a clean question fails next or the log ends
    now, lost, held = (now + held, lost, []) if r and not r["error"] else (now, lost + held, [])
    if len(now) < max(1, len(step)):
        continue
    if purpose == "block":  # ln E, by votes less their mean over the parts
        said = np.bincount([r["label"] + 1 for r in now if not r["error"]], minlength=1)
        moved, heard, blocks = moved + said.sum() - said.max(), heard + said.sum(), blocks + 1
        votes = np.array([now[part]["votes"] for part in kept or [0]], float).swapaxes(0, 1)
        sums = sums + votes - votes.mean(1, keepdims=True)
        if blocks in looks and kept:
            bets = np.exp(SHARPNESS * (sums - sums.max(-1, keepdims=True)))
            bets = 0.95 * bets / bets.sum(-1, keepdims=True) + 0.05 / len(known)
            here = np.log(len(known) * bets)[..., range(len(kept)), places].sum(-1).ravel()
            share = 0.5 / (len(looks) - 1) if blocks > 1 else 0.5 if count > 1 else 1
            log_e = np.logaddexp(log_e, np.logaddexp.reduce(here) + log(share / len(here)))
    elif part in kept and shown[row] != group[drawn[part]]:  # the effect is at most 1 - 2 high
        most += [sum(a["hit"] == (a["purpose"] == "decoy") for a in now if not a["error"]) / 2]
        values, left, low = np.array(most), population - np.arange(len(most)), 1.0
        while any(most) and low - high > 1e-9:  # bets reject lower means of these
            room = population * ((high + low) / 2 + 1e-9) - values.cumsum() + values
            gains = np.log1p(BETS * (values * left / np.maximum(room, 1e-9) - 1)).sum(1)
            out = room[-1] <= values[-1] or np.logaddexp.reduce(gains) >= log(40 / 0.05)
            high, low = ((high + low) / 2, low) if out else (high, (high + low) / 2)
    counted, step, now = counted + now, [], []
passed(ok, f"questions: {len(counted + now)} count, {len(lost)} were lost (out of reach)")
decoys = [r for r in counted + now if (r["purpose"], r["error"]) == ("decoy", "")]  # 7. Findings.
decoys = [r["label"] == shown[r["row"]] for r in decoys if shown[r["row"]] >= 0]
good, failed = sum(decoys), [r for r in counted + now if r["error"]]
right = good + int(KEPT.get(carrier, 1) * sum(answers))  # large decoys cost honest answers too
ways = [comb(len(decoys), n) * comb(len(answers), right - n) for n in range(right + 1)]
odd = int(sum(ways[: good + 1]) <= 0.01 * sum(ways))  # Fisher's exact test: decoys fare worse
odd += len(failed) >= max(3, 0.1 * len(counted + now)) and len(answers) >= 0.9 * due
word = "INCONCLUSIVE" if odd or log_e >= log(20) or 1 - 2 * high >= least else "NOT SUPPORTED"
word = "CLAIM" if log_e >= log(bar) else word  # 8. The evidence states the same.
found = {"log_e": max(log_e, -1e308), "bar": bar, "images": blocks, "high": 1 - 2 * high}
found |= {n: [r["purpose"] for r in records].count(n) for n in ("probe", "block", "pair", "decoy")}
found |= {"pairs": len(most), "in_vain": len(lost), "level": 0.95, "population": population}
stated = evidence["key_layer"] | evidence["effect"] | evidence["queries"]
ok = all(np.isclose(found[n], stated[n], 1e-9, 1e-9) for n in found) and numbers["bar"] == bar
ok &= (evidence["verdict"]["word"], len(evidence["findings"])) == (word, odd)
passed(ok, f"{word}: ln E {log_e:.3f} of {log(bar):.3f}, effect at most {1 - 2 * high:.3f}")
time = np.datetime64(1692803364 + 3 * (beacon or {"round": 1})["round"], "s")  # drand quicknet's
late = (key["timestamp"] or {"time": ""})["time"] > str(time) or len(value) not in (64, 96)
text = f"{('stated ', 'missing')[late]}  key: {beacon and f'{beacon}, out at {time}'} (no BLS)"
sys.exit(6 if sys.stdout.write(f"{text}\nstated   pool, numbers, suspect\n") else 1)
