"""The gateway client: the only code that speaks HTTP to a gateway. Start at `factory.build` and `GatewayClient`."""
