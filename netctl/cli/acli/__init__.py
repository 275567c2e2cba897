"""`netctl acli`: the commands of AHV's acli, said to netctl's API. Each module says what it does."""
