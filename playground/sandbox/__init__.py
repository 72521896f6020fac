"""An imitation video gateway, served over real HTTP, so that the whole product runs without an account or a cent."""
