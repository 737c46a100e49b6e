"""What a stack costs: its program's resources and a measured alert, priced by `topology.prices`."""
