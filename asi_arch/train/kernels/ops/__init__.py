"""Stand-ins for `fla.ops`: one module for each family of operators."""
