"""Record interfaces of the simulated controllers, as tables over the models behind them; no physics."""
