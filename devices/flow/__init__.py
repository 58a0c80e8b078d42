"""The flow reactor: liquid streams, passage of the mixture, pump delivery, interlock, and the whole device."""
