"""The flow reactor: streams, passage of liquids, delivery, interlock, and the composite of them all."""
