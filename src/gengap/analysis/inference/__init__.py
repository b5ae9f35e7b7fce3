"""Standard errors, intervals and levels: seeds and cases as random factors."""
