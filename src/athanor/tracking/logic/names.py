"""Names for runs that come without one."""

import random

_KINDS = """
able adaptable adventurous agreeable ambitious bold bright calm capable charming clean dapper
dashing dazzling delicate efficient fearless flawless fortunate gentle gifted honorable
industrious inquisitive intelligent judicious learned legendary luminous lyrical magnificent
melodic nimble orderly peaceful persistent polite powerful rare resilient righteous serious
silent sincere skillful stately stylish thoughtful unique upbeat useful valuable wise
""".split()  # noqa: SIM905 - read as a text
"""Words that MLflow's names begin with too: whoever tells made-up names by them still can."""
_THINGS = """
alembic amber antimony balance basalt beaker bellows brass bronze burner calx candle carbon
chalk charcoal cinder cobalt column copper crucible crystal distillate elixir ember essence
ether ferment filter flame flask flint flux forge funnel furnace galena glass gold granite
hearth indigo ingot iron lamp lantern lead lime magnet mercury mineral mortar nickel ochre
opal ore pestle pewter phosphor quartz quicksilver retort ruby salt silver spirit still
sulphur tincture tin topaz vapour vessel vitriol zinc
""".split()  # noqa: SIM905 - read as a text


def made_up_name() -> str:
    """Two words and a number, such as `nimble-crucible-417`."""
    # Nobody is to guess nothing here: a plain generator will do.
    chosen = random.choice(_KINDS), random.choice(_THINGS), random.randrange(1000)
    return "-".join(map(str, chosen))
