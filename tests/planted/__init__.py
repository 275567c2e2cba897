"""Planted bugs: proof that the tests can see. `make planted` plants each in a copy and shows that it is caught."""
