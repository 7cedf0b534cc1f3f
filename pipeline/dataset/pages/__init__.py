"""The contact sheet: one page on which a curator looks a data set over."""
