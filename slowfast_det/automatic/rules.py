"""Which recipe suits a data set, and why: rules, each backed by trainings on generated films.

The figures are mean AP on films that were not trained on; `benchmarks/recipe_rules.py` measures them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from ava_tools.errors import InputError
from ava_tools.labels import Labels
from slowfast_det.automatic.facts import Facts
from slowfast_det.checkpoints import zoo
from slowfast_det.checkpoints.reading import read_checkpoint

SMALL = "tiny"  # the network that learns from nothing
_STEPS = 800  # of a training from scratch
_TUNING_STEPS = 400
_RARE = 10  # times as many examples as the rarest action has, from which on the common ones count less
_SIDES = (("left", "right"), ("links", "rechts"), ("gauche", "droite"), ("izquierda", "derecha"))


@dataclass(frozen=True)
class Decision:
    """One thing that was decided.

    Attributes:
        what: in a word or two.
        value: what was chosen.
        why: the reason, with the facts that it rests on.
        settings: the same as ``key=value`` texts over the recipe.
    """

    what: str
    value: str
    why: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A recipe for a data set.

    Attributes:
        recipe: name of a packaged one.
        decisions: what was changed, and why.
    """

    recipe: str
    decisions: tuple[Decision, ...]

    @property
    def settings(self) -> list[str]:
        """All of them as ``key=value`` texts."""
        return [setting for decision in self.decisions for setting in decision.settings]

    def changed(self, overrides: Sequence[str]) -> Choice:
        """As a user wants it, who has the last word; `settings` stay, overrides come after them."""
        given = dict(text.partition("=")[::2] for text in overrides)
        decisions, told = [], {"init"}  # which is chosen by
        for decision in self.decisions:
            keys = [
                key for setting in decision.settings if (key := setting.partition("=")[0]) in given.keys() - {"init"}
            ]
            told.update(keys)
            value = ", ".join(f"{key}={given[key]}" for key in keys)
            decisions.append(replace(decision, value=value, why="you say so") if keys else decision)
        rest = [text for text in overrides if text.partition("=")[0] not in told]
        decisions += [Decision("besides", ", ".join(rest), "you say so")] if rest else []
        return replace(self, decisions=tuple(decisions))


@dataclass(frozen=True)
class Beginning:
    """Weights to start from.

    Attributes:
        recipe: of their network, or what its settings go over.
        init: their name or file.
        why: they are taken.
        settings: what their network has that the recipe has not.
    """

    recipe: str
    init: str
    why: str
    settings: tuple[str, ...] = ()


def choose(facts: Facts, init: str | None = None) -> Choice:
    """Choose a recipe.

    Args:
        facts: about data and machine.
        init: weights that the user names, published ones or a file; None: the best that are here, on a GPU.

    Raises:
        InputError: the weights that are named do not say what network they are of, or score whole clips.
    """
    beginning = _beginning(facts, init)
    tuned = beginning is not None
    decisions = [
        _network(facts, beginning),
        _kept(facts) if tuned else _size(facts),
        _epochs(facts, tuned),
        _rate(facts, tuned),
        _balance(facts),
        *_mirror(facts.labels),
        _precision(facts),
        *_memory(facts, tuned),
    ]
    return Choice(beginning.recipe if beginning is not None else SMALL, tuple(decisions))


def _beginning(facts: Facts, init: str | None) -> Beginning | None:
    if init is not None:
        return _named(init)
    published = facts.weights
    if facts.device.type != "cuda" or published is None or published.config is None:
        return None
    why = f"its weights are the best that are here (mAP {published.mean_ap:g} on {published.data})"
    return Beginning(published.config, published.name, why, published.overrides)


def _named(init: str) -> Beginning:
    published = zoo.published(init)
    if published is not None and published.config is not None and published.task == "detection":
        return Beginning(published.config, init, "you name its weights", published.overrides)
    config = None if published is not None else read_checkpoint(init, own_config=False).config
    if config is None or config.network.head != "persons":
        raise InputError(
            f"{init}: does not say of what network that scores persons it is; name one: slowfast-det train "
            f"slowfast_r50_8x8 data=FOLDER init={init}"
        )
    content = config.model_dump(mode="json")
    settings = tuple(f"{key}={json.dumps(value)}" for key, value in content.items())
    return Beginning(SMALL, init, "you name its weights, which say what network they are of", settings)


def _network(facts: Facts, beginning: Beginning | None) -> Decision:
    if beginning is not None:
        settings = (f"init={json.dumps(beginning.init)}", *beginning.settings)
        return Decision("network", f"that of {Path(beginning.init).name}", beginning.why, settings)
    if facts.device.type == "cuda":
        why = "no published weights are here; `slowfast-det models NAME --download` fetches some, which serve better"
    else:
        why = "on a processor a larger network would take days"
    return Decision("network", f"{SMALL}, from scratch", why)


def _size(facts: Facts) -> Decision:
    # films of 128 pixels, 250 steps: looked at with 64 pixels 0.25, with 96 0.28, with 128 0.31
    side = max(64, min(128, facts.short_side))
    settings = (f"clip.short_side={side}", f"augmentation.short_side=[{side}, {side}]")
    return Decision("frames", f"{side} pixels", f"of their shorter side; the films' is {facts.short_side}", settings)


def _kept(facts: Facts) -> Decision:
    # 16 key frames, mean AP: from scratch 0.23, nothing frozen 0.45, three stages 0.52, all five 0.50
    frozen = 3 if facts.key_frames < 500 else 0
    why = f"{facts.key_frames:,} key frames " + ("are too few to change early stages" if frozen else "suffice for all")
    return Decision("frozen stages", str(frozen), why, (f"training.frozen_stages={frozen}",))


def _epochs(facts: Facts, tuned: bool) -> Decision:
    # from scratch after 200, 400, 800 steps of 8: of 24 key frames 0.27, 0.29, 0.30; of 96 0.40, 0.50, 0.57
    batch = min(8, max(1, facts.key_frames // 4))
    steps = _TUNING_STEPS if tuned else _STEPS
    epochs = max(6, min(100, round(steps * batch / facts.key_frames)))
    done = epochs * max(1, facts.key_frames // batch)
    why = f"{done:,} steps, {batch} clips each, for {facts.key_frames:,} key frames"
    return Decision("epochs", str(epochs), why, (f"training.epochs={epochs}", f"training.batch={batch}"))


def _rate(facts: Facts, tuned: bool) -> Decision:
    # from scratch, 250 steps: 0.27 at 0.001, 0.31 at 0.004, 0.35 at 0.012; 800 steps: 0.57 at 0.004, 0.57 at 0.012.
    # From weights of other actions, nothing frozen: 0.51 at 0.001, 0.45 at 0.004.
    rate, why = (0.001, "gentle: the weights are good already") if tuned else (0.004, "fast: all weights are fresh")
    settings = (
        "training.optimiser=adamw",
        "training.weight_decay=0.02",
        "training.schedule.kind=cosine",
        f"training.schedule.lr={rate}",
        "training.schedule.lr_batch=null",
        "training.schedule.warmup_epochs=1",
        "training.clip_gradient=5",
    )
    return Decision("learning rate", f"{rate:g}, AdamW, cosine", why, settings)


def _balance(facts: Facts) -> Decision:
    known = {name: count for name, count in facts.examples.items() if count}
    if not known:
        return Decision("class balance", "none", "no action has an example")
    least, *_, most = sorted([*known, *known], key=lambda name: known[name])
    ratio = known[most] / known[least]
    told = f"{most!r} has {known[most]:,} examples, {least!r} {known[least]:,}"
    if ratio < _RARE:
        return Decision("class balance", "none", told)
    # 30 films, three actions with a tenth of their examples: 0.451; plain 0.415; weights by frequency (0.99) 0.407
    return Decision(
        "class balance", "focal loss", f"{told}: what is known well counts less", ("training.loss.kind=focal",)
    )


def _mirror(labels: Labels) -> list[Decision]:
    """Pairs of actions that mirroring turns into one another: their names differ in left and right alone.

    250 steps: no mirroring 0.27, mirroring 0.31. In the mean over nine actions it did not show whether the two that
    walk were swapped (0.31, 0.38; else 0.37, 0.35; two seeds), but who does not swap them teaches that they are one.
    """
    pairs = [
        (first, second) for first, second in combinations(labels.names, 2) if _mirrored(first) == second.lower() != ""
    ]
    sided = [name for name in labels.names if _mirrored(name)]
    alone = [name for name in sided if not any(name in pair for pair in pairs)]
    if alone:
        why = f"{', '.join(map(repr, alone[:3]))} names a side and has no counterpart"
        return [Decision("mirroring", "off", why, ("augmentation.flip=0",))]
    if not pairs:
        return []
    told = ", ".join(f"{first} - {second}" for first, second in pairs)
    return [Decision("mirroring", "swaps sides", told, (f"augmentation.flip_pairs={json.dumps(pairs)}",))]


def _mirrored(name: str) -> str:
    """What an action is called in the mirror; nothing if it names no side."""
    words = re.split(r"(\W|_)", name.lower())
    for one, other in _SIDES:
        if one in words or other in words:
            swapped = {one: other, other: one}
            return "".join(swapped.get(word, word) for word in words)
    return ""


def _precision(facts: Facts) -> Decision:
    if facts.device.type == "cuda":
        return Decision("arithmetic", "auto", "bf16 where the GPU has it", ("training.precision=auto",))
    if facts.has_bf16:
        return Decision("arithmetic", "bf16", "this processor has it", ("training.precision=bf16",))
    return Decision("arithmetic", "fp32", "this processor has no bf16", ("training.precision=fp32",))


def _memory(facts: Facts, tuned: bool) -> Sequence[Decision]:
    frames = 32 if tuned else 8
    needed = facts.key_frames * frames * facts.frame_bytes
    if needed * facts.readers > facts.memory / 4:
        return []
    gigabytes = max(0.1, round(needed / 1e9 * 1.1, 1))  # of each reading process
    why = f"all clips, decoded, take {needed / 1e9:.1f} of this machine's {facts.memory / 1e9:.0f} GB"
    return [Decision("memory", f"{gigabytes:g} GB", why, (f"training.memory={gigabytes}",))]
