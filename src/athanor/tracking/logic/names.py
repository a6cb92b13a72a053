"""Names for runs that come without one."""

import random

_KINDS = """
able bold brisk calm clear crisp deft eager even fair fine firm fleet fresh glad grand hale
keen kind light lively lucid mellow merry mild neat nimble plain prime proud quick quiet
rapid ready rich robust sharp silent sleek smooth sober solid sound spry steady still stout
sturdy subtle sunny swift tidy trim true upright valid vivid warm wise witty
""".split()  # noqa: SIM905 - read as a text
_THINGS = """
alembic amber antimony balance basalt beaker bellows brass bronze burner calx candle carbon
chalk charcoal cinder cobalt column copper crucible crystal distillate elixir ember essence
ether ferment filter flame flask flint flux forge funnel furnace galena glass gold granite
hearth indigo ingot iron lamp lantern lead lime magnet mercury mineral mortar nickel ochre
opal ore pestle pewter phosphor quartz quicksilver retort ruby salt silver spirit still
sulphur tincture tin topaz vapour vessel vitriol zinc
""".split()  # noqa: SIM905 - read as a text


def made_up_name() -> str:
    """Two words and a number, such as `steady-crucible-417`."""
    # Nobody is to guess nothing here: a plain generator will do.
    chosen = random.choice(_KINDS), random.choice(_THINGS), random.randrange(1000)
    return "-".join(map(str, chosen))
