"""How tickets are worked through: asked of the plane, told to webhooks."""
