"""What several tests do with a twin."""


def start_mixture(twin, each_ul_min):
    """Let both precursors flow into the reactor."""
    for name in ("Cd", "Se"):
        twin.pumps[name].target_rate_ul_min = each_ul_min
        twin.pumps[name].infuse()
    twin.valve = "Mixture"


def start_heating(twin, celsius):
    """Give both ovens a setpoint."""
    for oven in twin.ovens.values():
        oven.setpoint_c = celsius
