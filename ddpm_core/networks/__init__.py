"""What surrounds the U-Net: telling a class or a caption, the paper's own layout, a network for points, costs."""
