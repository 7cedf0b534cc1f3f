"""Runtimes of pretrained networks: LiteRT, TorchScript, oneDNN convolutions."""
