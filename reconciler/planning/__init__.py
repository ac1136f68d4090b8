"""Pure decisions: what was observed and what was asked in, the next action out."""
