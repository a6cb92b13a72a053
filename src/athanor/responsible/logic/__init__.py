"""Pure evaluation: numbers in, figures with their uncertainty out. Needs numpy: load lazily."""
