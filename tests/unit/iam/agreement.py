"""Both evaluators over many requests: `python -m tests.unit.iam.agreement PAIRS [FIRST]`.

Prints what the requests reach, and fails when the evaluators differ or the requests reach too little. FIRST is the
first seed, a random one by default.
"""

import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random, SystemRandom

from tests.unit.iam.compiled import Compiled, verdict_of
from tests.unit.iam.naive import Verdict, decide
from tests.unit.iam.policy_cases import Case, made
from tests.unit.iam.policy_values import BASES, operator_forms

VERDICTS: tuple[Verdict, ...] = ("allow", "explicit deny", "implicit deny")


@dataclass
class Figures:
    """What a run reached: verdicts, and the operators that decided, by their full names."""

    pairs: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    differ: list[str] = field(default_factory=list)

    @property
    def bases(self) -> Counter[str]:
        """The operators that decided, their variants counted with them."""
        found: Counter[str] = Counter()
        for name, times in self.operators.items():
            found[name.split(":")[-1].removesuffix("IfExists")] += times
        return found

    def lacking(self) -> list[str]:
        """What the run did not reach: a fifth for each verdict, and one in a hundred decided by each operator."""
        short = [
            f"{verdict}: {self.verdicts[verdict]}"
            for verdict in VERDICTS if self.verdicts[verdict] * 5 < self.pairs
        ]  # fmt: skip
        bases = self.bases
        short += [f"{base}: {bases[base]}" for base in [*BASES, "grant"] if bases[base] * 100 < self.pairs]
        return short + [f"{form}: never" for form in operator_forms() if not self.operators[form]]

    def report(self) -> str:
        lines = [f"{self.pairs} pairs, {len(self.differ)} differ"]
        lines += [
            f"{verdict:32} {self.verdicts[verdict]:7} {self.verdicts[verdict] / self.pairs:6.1%}"
            for verdict in VERDICTS
        ]
        for title, counts in (
            ("reasons", self.reasons), ("decided by", self.bases), ("forms", self.operators),
        ):  # fmt: skip
            lines += ["", title, *(f"{name:44} {times:7}" for name, times in sorted(counts.items()))]
        return "\n".join([*lines, "", *self.differ[:5]])


def seeded(seed: int) -> Case:
    """The case of a seed; every other one rests on decisions where the rules are silent."""
    return made(Random(seed), unclear=bool(seed % 2))


def compare(pairs: int, first: int) -> Figures:
    """Ask both evaluators about the cases of as many seeds."""
    figures = Figures(pairs)
    for seed in range(first, first + pairs):
        case = seeded(seed)
        # The same documents, asked about a request that says nothing: what is remembered of one must not hold for the other.
        bare = replace(case.asked, context={}, encryption_context={}, source_arn=None, grants=())
        order = [case.asked, bare] if seed % 4 < 2 else [bare, case.asked]
        compiled = Compiled(case.asked)
        verdicts = {id(asked): decide(asked) for asked in order}
        for asked in (*order, case.asked):
            decision = compiled.decision_of(asked)
            if verdict_of(decision) != verdicts[id(asked)]:
                figures.differ.append(f"seed {seed}: {verdicts[id(asked)]}, the server {decision}: {asked}")
        figures.verdicts[verdicts[id(case.asked)]] += 1
        figures.reasons[decision.reason.name] += 1
        if case.decisive:
            figures.operators[case.operator] += 1
    return figures


def main() -> int:
    """Compare, print, and judge."""
    pairs = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else SystemRandom().randrange(2**48)
    figures = compare(pairs, first)
    short = figures.lacking()
    sys.stdout.write(
        "\n".join([f"seeds from {first}", figures.report(), *map("too few: {}".format, short), ""])
    )
    return 1 if figures.differ or short else 0


if __name__ == "__main__":
    sys.exit(main())
