"""The network: U-Net, its blocks, the speech encoder, the whole talking head."""
