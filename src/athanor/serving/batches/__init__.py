"""How batches are worked through: threads of their own, a runner, and the work in processes."""
