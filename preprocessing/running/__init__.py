"""Running long work: who may write where, what is resumed, how much memory and disk is there."""
