"""One Display per figure; what is drawn was computed elsewhere and stays readable as `.data`."""
