"""What one variant does: onset, gap, slope, stopping, value of data; and what confounds a comparison."""
